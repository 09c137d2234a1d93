# A small stand-in for `lib.evalModules` of nixpkgs, which cannot be fetched in a test. What it knows it knows as
# strictly: a value of an option that nobody declares, one of the wrong type, or two that differ stop the evaluation.
let
  inherit (builtins) attrNames concatLists elem filter foldl' head isAttrs isBool isFunction isInt isList isString length listToAttrs map typeOf;

  mkOption = option: option // { _type = "option"; };
  isOption = value: isAttrs value && value._type or "" == "option";
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkDefault = content: { _type = "default"; inherit content; };
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
  unique = foldl' (all: one: if elem one all then all else all ++ [ one ]) [ ];

  # What a module says of a path, `mkIf` and `mkDefault` resolved: [ { isDefault, value } ].
  said = value:
    if isAttrs value && value._type or "" == "if" then (if value.condition then said value.content else [ ])
    else if isAttrs value && value._type or "" == "default" then map (one: one // { isDefault = true; }) (said value.content)
    else [ { isDefault = false; inherit value; } ];

  values = all: let own = filter (one: !one.isDefault) all; in map (one: one.value) (if own == [ ] then all else own);

  # A type gives the one value of all that was said, or throws.
  kind = name: is: path: all:
    let found = unique (values all); in
    if !(is (head found)) then throw "A definition for option `${path}' is not of type `${name}': ${typeOf (head found)}"
    else if length found > 1 then throw "The option `${path}' has conflicting definitions"
    else head found;

  types = {
    bool = kind "boolean" isBool;
    str = kind "string" isString;
    port = kind "16 bit unsigned integer" (value: isInt value && value >= 0 && value <= 65535);
    package = kind "package" (value: isAttrs value && value.type or "" == "derivation");
    anything = kind "anything" (_: true);
    nullOr = type: path: all: if values all == [ null ] then null else type path all;
    listOf = type: path: all:
      concatLists (map (list: if isList list then map (one: type path (said one)) list else throw "A definition for option `${path}' is not of type `list'") (values all));
    attrsOf = type: path: all:
      let
        sets = concatLists (map said (values all));
        of = name: concatLists (map (set: if set.value ? ${name} then said set.value.${name} else [ ]) sets);
        names = unique (concatLists (map (set: attrNames set.value) sets));
      in
      # What `mkIf false` alone speaks of is not there.
      genAttrs (filter (name: of name != [ ]) names) (name: type "${path}.${name}" (of name));
    submodule = { options }: path: all: merged path options (values all);
  };

  # `mkIf` over a set is one over each of its names: the names are known before the condition is.
  pushed = value:
    if isAttrs value && value._type or "" == "if" then builtins.mapAttrs (_: mkIf value.condition) (pushed value.content) else value;

  # The values of a tree of options, of all sets that were said for it.
  merged = path: options: all:
    let
      at = name: if path == "" then name else "${path}.${name}";
      sets = map pushed all;
      of = name: concatLists (map (set: if set ? ${name} then [ set.${name} ] else [ ]) sets);
      unknown = filter (name: !(options ? ${name})) (concatLists (map attrNames sets));
      option = name:
        let declared = options.${name}; here = concatLists (map said (of name)); in
        if !(isOption declared) then merged (at name) declared (of name)
        else if here != [ ] then declared.type (at name) here
        else if declared ? default then declared.type (at name) (said declared.default)
        else throw "The option `${at name}' was accessed but has no value defined";
    in
    if unknown != [ ] then throw "The option `${at (head unknown)}' does not exist"
    else builtins.mapAttrs (name: _: option name) options;

  # Modules that are imported come first; a path is a file of a module.
  opened = args: module:
    let
      read = if isAttrs module then module else if isFunction module then module args else import module;
      value = if isFunction read then read args else read;
      parts = if value ? config || value ? options then { options = value.options or { }; config = value.config or { }; }
        else { options = { }; config = removeAttrs value [ "imports" ]; };
    in
    concatLists (map (opened args) (value.imports or [ ])) ++ [ parts ];

  joined = a: b: a // builtins.mapAttrs (name: value: if a ? ${name} && !(isOption value) then joined a.${name} value else value) b;
in
rec {
  inherit genAttrs mapAttrsToList mkDefault mkIf mkOption types;
  mkEnableOption = what: mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
  optionalString = condition: text: if condition then text else "";
  evalModules = { modules, args }:
    let
      parts = concatLists (map (opened (args // { inherit config; })) modules);
      options = foldl' joined { } (map (part: part.options) parts);
      config = merged "" options (map (part: part.config) parts);
    in
    { inherit config options; };
}
