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
        };
      });

      checks = each (pkgs: {
        # The committed out/ is what the site says.
        example = pkgs.runCommand "pxelator-example" { } ''
          cd ${self}
          ${self.packages.${pkgs.stdenv.hostPlatform.system}.default}/bin/pxelator build --check --deny warnings
          touch $out
        '';
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = with pkgs; [ cargo rustc clippy rustfmt qemu dnsmasq dnsutils ];
        };
      });
    };
}
