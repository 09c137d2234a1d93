# services.pxelator: the boot server on NixOS.
#
# The units are those of systemd/, which the package brings: here stands only what NixOS says differently, as systemd's
# own drop-ins. [Install] has no meaning on NixOS, so `wantedBy` is repeated.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.pxelator;

  # Who else likes the same ports, and which.
  rivals = {
    atftpd = { on = config.services.atftpd.enable; ports = "TFTP 69"; };
    bind = { on = config.services.bind.enable; ports = "DNS 53"; };
    dnsmasq = { on = config.services.dnsmasq.enable; ports = "DNS 53 and DHCP 67"; };
    "kea.dhcp4" = { on = config.services.kea.dhcp4.enable; ports = "DHCP 67"; };
    nginx = { on = config.services.nginx.enable; ports = "HTTP 80"; };
    nsd = { on = config.services.nsd.enable; ports = "DNS 53"; };
    resolved = { on = config.services.resolved.enable; ports = "DNS 53"; };
    unbound = { on = config.services.unbound.enable; ports = "DNS 53"; };
  };

  # A unit of the night: the programs that it starts, and the store.
  night = path: {
    inherit path;
    environment.STORE = cfg.store;
  };
in
{
  options.services.pxelator = {
    enable = lib.mkEnableOption "pxelator, the boot server";

    package = lib.mkOption {
      type = lib.types.package;
      description = "The package that holds the program and its units. The flake's module takes that of the flake.";
    };

    store = lib.mkOption {
      type = lib.types.str;
      default = "/srv/pxelator";
      description = "The folder that `pxelator deploy` fills with generations.";
    };

    bind = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "10.77.0.2";
      description = "Serve on this address of the machine alone. Without it, on all.";
    };

    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Open DNS 53, DHCP 67, TFTP 69, HTTP 80 and syslog 514. The site's `page` is not among them.";
    };

    track.enable = lib.mkEnableOption "pulling, each night, what changed on the machines that the site tracks";
    rules.enable = lib.mkEnableOption "holding, each night, the rules of the site against their machines";
  };

  config = lib.mkIf cfg.enable {
    assertions = lib.mapAttrsToList (name: rival: {
      assertion = cfg.bind != null || !rival.on;
      message = "services.pxelator serves on every address of this machine, and services.${name} wants ${rival.ports} too: turn that off, or give services.pxelator.bind an address that it leaves free";
    }) rivals;

    environment.systemPackages = [ cfg.package ];
    systemd.packages = [ cfg.package ];
    systemd.tmpfiles.packages = [ cfg.package ];

    systemd.services.pxelator = {
      wantedBy = [ "multi-user.target" ];
      environment = {
        STORE = cfg.store;
        SERVE_OPTIONS = lib.optionalString (cfg.bind != null) "--bind ${cfg.bind}";
      };
    };
    systemd.services.pxelator-track = lib.mkIf cfg.track.enable (night [ pkgs.git pkgs.openssh pkgs.rsync ]);
    systemd.timers.pxelator-track = lib.mkIf cfg.track.enable { wantedBy = [ "timers.target" ]; };
    systemd.services.pxelator-rules = lib.mkIf cfg.rules.enable (night [ pkgs.bash pkgs.bubblewrap pkgs.openssh pkgs.util-linux ]);
    systemd.timers.pxelator-rules = lib.mkIf cfg.rules.enable { wantedBy = [ "timers.target" ]; };

    # As systemd/pxelator.sysusers says it elsewhere.
    users.users.pxelator = {
      isSystemUser = true;
      group = "pxelator";
      home = "/var/lib/pxelator";
      description = "pxelator, the boot server";
    };
    users.groups.pxelator = { };

    networking.firewall = lib.mkIf cfg.openFirewall {
      allowedUDPPorts = [ 53 67 69 514 ];
      allowedTCPPorts = [ 53 80 ];
    };
  };
}
