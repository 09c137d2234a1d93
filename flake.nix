{
  description = "A boot server described in one file";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = "pxelator";
          version = (fromTOML (builtins.readFile ./Cargo.toml)).package.version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          # librrd, and what makes its binding.
          nativeBuildInputs = [ pkgs.pkg-config pkgs.rustPlatform.bindgenHook ];
          buildInputs = [ pkgs.rrdtool ];
          # The tests need namespaces and virtual machines: `make test` runs them.
          doCheck = false;
          # The same texts as on Debian, with the program where Nix puts it.
          postInstall = ''
            make install-units install-words PREFIX=$out LIB=$out/lib PROGRAM=$out/bin/pxelator
          '';
        };
      });

      checks = each (pkgs: {
        # The committed out/ is what the site says.
        example = pkgs.runCommand "pxelator-example" { } ''
          cd ${self}
          ${self.packages.${pkgs.stdenv.hostPlatform.system}.default}/bin/pxelator build --check --deny warnings
          touch $out
        '';

        # A machine with all of the module: its assertions hold, and its units are those of the package.
        module =
          let
            package = self.packages.${pkgs.stdenv.hostPlatform.system}.default;
            machine = nixpkgs.lib.nixosSystem {
              inherit (pkgs.stdenv.hostPlatform) system;
              modules = [ self.nixosModules.default ./nix/example.nix ];
            };
          in
          pkgs.runCommand "pxelator-module" { } ''
            cd ${machine.config.system.build.toplevel}/etc/systemd/system
            for unit in ${package}/lib/systemd/system/*; do
              cmp $unit $(basename $unit)
            done
            touch $out
          '';
      });

      nixosModules.default =
        { lib, pkgs, ... }:
        {
          imports = [ ./nix/module.nix ];
          services.pxelator.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [ cargo rustc clippy rustfmt qemu dnsmasq dnsutils ];
        };
      });
    };
}
