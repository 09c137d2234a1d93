# A boot server with everything that the module has. `nix flake check` builds it, and a test evaluates it.
{
  services.pxelator = {
    enable = true;
    openFirewall = true;
    track.enable = true;
    rules.enable = true;
  };

  # The page of the site, for the machines of the administrators: `page port=8080` in site.kdl.
  networking.firewall.allowedTCPPorts = [ 8080 ];

  # What makes this a machine that can be built without one: leave it out in yours.
  boot.isContainer = true;
  system.stateVersion = "24.11";
}
