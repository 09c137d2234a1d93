# A stand-in for the flake nixpkgs: what flake.nix and nix/module.nix ask of it, and nothing else. Whatever else they
# ask for stops the evaluation, so a misspelt name is found.
let
  base = import ./modules.nix;
  derivation = name: more: more // { type = "derivation"; inherit name; outPath = "/nix/store/${name}"; };
  legacyPackages = base.genAttrs [ "x86_64-linux" "aarch64-linux" ] (system: {
    stdenv.hostPlatform = { inherit system; };
    lib = base;
    rustPlatform = {
      bindgenHook = derivation "bindgen-hook" { };
      buildRustPackage = args: derivation "${args.pname}-${args.version}" args;
    };
    runCommand = name: args: script: derivation name (args // { inherit script; });
    mkShell = args: derivation "shell" args;
  } // base.genAttrs [ "bash" "bubblewrap" "cargo" "clippy" "dnsmasq" "dnsutils" "git" "openssh" "pkg-config" "qemu" "rrdtool" "rsync" "rustc" "rustfmt" "util-linux" ] (name: derivation name { }));

  inherit (base) mkOption types;
  attrs = type: mkOption { type = types.attrsOf type; default = { }; };
  list = type: mkOption { type = types.listOf type; default = [ ]; };
  text = mkOption { type = types.str; default = ""; };
  off = mkOption { type = types.bool; default = false; };
  service.enable = off;
  unit = {
    wantedBy = list types.str;
    environment = attrs types.str;
    path = list types.package;
    serviceConfig = attrs types.anything;
  };

  # The options of NixOS that a boot server touches, as nixpkgs declares them.
  nixos = {
    options = {
      assertions = list types.anything;
      boot.isContainer = off;
      environment.systemPackages = list types.package;
      networking.firewall = { allowedTCPPorts = list types.port; allowedUDPPorts = list types.port; };
      services = base.genAttrs [ "atftpd" "bind" "dnsmasq" "nginx" "nsd" "resolved" "unbound" ] (_: service) // { kea.dhcp4 = service; };
      system.stateVersion = text;
      systemd.packages = list types.package;
      systemd.tmpfiles.packages = list types.package;
      systemd.services = attrs (types.submodule { options = unit; });
      systemd.timers = attrs (types.submodule { options.wantedBy = list types.str; });
      users.users = attrs (types.submodule { options = { isSystemUser = off; group = text; home = text; description = text; }; });
      users.groups = attrs types.anything;
    };
  };
in
{
  inherit legacyPackages;
  lib = base // {
    nixosSystem = { system, modules }:
      let made = base.evalModules { modules = [ nixos ] ++ modules; args = { lib = base; pkgs = legacyPackages.${system}; }; }; in
      made // { config = made.config // { system = made.config.system // { build.toplevel = derivation "nixos-system" { }; }; }; };
  };
}
