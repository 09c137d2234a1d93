# The flake in `folder`, evaluated with the stand-in; `machine` is a module beside the flake's own.
{ folder, machine ? { } }:
let
  nixpkgs = import ./nixpkgs.nix;
  flake = import (folder + "/flake.nix");
  outputs = flake.outputs { self = outputs // { outPath = toString folder; }; inherit nixpkgs; };
  system = nixpkgs.lib.nixosSystem { system = "x86_64-linux"; modules = [ outputs.nixosModules.default machine ]; };
  names = builtins.mapAttrs (_: builtins.attrNames);
  inherit (system) config;
  failed = builtins.filter (one: !one.assertion) config.assertions;
in
{
  packages = names outputs.packages;
  checks = names outputs.checks;
  devShells = names outputs.devShells;
  package = removeAttrs outputs.packages.x86_64-linux.default [ "src" "cargoLock" "type" "outPath" ];
  # Each to its end: a name that is misspelt in a script is found too.
  scripts = builtins.mapAttrs (_: check: check.script) outputs.checks.aarch64-linux;
  machine = {
    assertions = map (one: one.message) failed;
    inherit (config.systemd) packages services timers;
    inherit (config.networking) firewall;
    inherit (config.users) users groups;
    systemPackages = map (one: one.name) config.environment.systemPackages;
  };
}
