//! `kea-dhcp4.json`: one reservation a line.
//!
//! Kea gives a lease by network or by class, so hosts with a time of their own are in a class that has
//! it. What depends on the network or the pool is in classes that are only looked at there
//! (`require-client-classes`).

use serde::Serialize;

use super::view::{LoaderView, NetworkView, View, script_by_mac, script_of_menu, secs};
use crate::model::{Engine, Host, Network, Origins, Site};
use crate::out::Lines;
use crate::source::Span;

pub(super) fn make(site: &Site, engine: &Engine) -> Lines {
    let view = View::of(site);
    let mut out = Json { lines: Lines::default(), engine: engine.span };
    out.add(&[], "{");
    out.add(&[], "  \"Dhcp4\": {");
    for line in GENERAL {
        out.add(&[], format_args!("    {line},"));
    }
    out.list(4, "\"option-data\"", options(site), ",");
    out.list(4, "\"client-classes\"", classes(&view), ",");
    // A host keeps its name and script where another network's pool serves it.
    let all = site.hosts.iter().filter(|host| view.networks.len() > 1 || host.address.is_none());
    out.list(4, "\"reservations\"", all.flat_map(|host| reservations(host, None, &view)).collect(), ",");
    out.add(&[], "    \"subnet4\": [");
    let last = view.networks.len().saturating_sub(1);
    for (number, network) in view.networks.iter().enumerate() {
        subnet(network, &view, if number == last { "" } else { "," }, &mut out);
    }
    out.add(&[], "    ]");
    out.add(&[], "  }");
    out.add(&[], "}");
    out.lines
}

/// A client is its MAC; what is not ours is refused; nothing is told to DNS; a declined address rests as
/// long as with `serve`.
const GENERAL: &[&str] = &[
    r#""interfaces-config": { "interfaces": ["*"] }"#,
    r#""lease-database": { "type": "memfile", "persist": true }"#,
    r#""match-client-id": false"#,
    r#""host-reservation-identifiers": ["hw-address"]"#,
    r#""reservations-global": true"#,
    r#""reservations-in-subnet": true"#,
    r#""reservations-out-of-pool": true"#,
    // A host may have several MACs and one address.
    r#""ip-reservations-unique": false"#,
    r#""calculate-tee-times": true"#,
    r#""decline-probation-period": 3600"#,
    r#""ddns-send-updates": false"#,
    r#""option-def": [{ "space": "dhcp4", "name": "ipxe-encap", "code": 175, "type": "binary" }]"#,
];

/// Items of a list, each with the lines behind it.
type Items = Vec<(Origins, String)>;

/// The file in the making; each line comes from the `engine` line too.
struct Json {
    lines: Lines,
    engine: Span,
}

impl Json {
    fn add(&mut self, origins: &[Span], line: impl std::fmt::Display) {
        self.lines.line(&[origins, &[self.engine]].concat(), line);
    }

    /// One item a line, with commas between them.
    fn list(&mut self, indent: usize, name: &str, items: Items, end: &str) {
        if items.is_empty() {
            self.add(&[], format_args!("{:indent$}{name}: []{end}", ""));
            return;
        }
        self.add(&[], format_args!("{:indent$}{name}: [", ""));
        let last = items.len() - 1;
        for (number, (origins, item)) in items.iter().enumerate() {
            let comma = if number == last { "" } else { "," };
            self.add(origins, format_args!("{:indent$}  {item}{comma}", ""));
        }
        self.add(&[], format_args!("{:indent$}]{end}", ""));
    }
}

/// An option that clients are sent.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct OptionData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    csv_format: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    always_send: Option<bool>,
}

/// Sent whether or not the client asks for it.
fn always<'a>(name: &'a str, data: &'a str) -> OptionData<'a> {
    OptionData { name: Some(name), code: None, data, csv_format: None, always_send: Some(true) }
}

/// Bytes in hexadecimal.
fn bytes(code: u8, data: &str) -> OptionData<'_> {
    OptionData { name: None, code: Some(code), data, csv_format: Some(false), always_send: Some(true) }
}

/// Our rows have no value that JSON cannot hold.
fn json<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap_or_default()
}

fn options(site: &Site) -> Items {
    let domain = (vec![site.span], json(&always("domain-name", site.domain.as_str())));
    let zone = site.timezone.iter().map(|zone| {
        // Option 101, for clients that ask for it (RFC 4833).
        let option = OptionData { name: None, code: Some(101), data: &zone.value, csv_format: None, always_send: None };
        (vec![zone.span], json(&option))
    });
    std::iter::once(domain).chain(zone).collect()
}

/// Clients that have something in common.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Class<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    only_if_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_lifetime: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    boot_file_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    option_def: Vec<OptionDef>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    option_data: Vec<OptionData<'a>>,
}

#[derive(Serialize)]
struct OptionDef {
    name: &'static str,
    code: u8,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// iPXE says so bare, or with a length before it as RFC 3004 wants.
const IS_IPXE: &str = "option[93].exists and (substring(option[77].hex,0,4) == 'iPXE' or substring(option[77].hex,1,4) == 'iPXE')";
/// Take the boot file and ask no other server (PXE 2.1): ROMs wait for seconds otherwise.
const PXE_CONTROL: &str = "060108FF";
/// iPXE's own option 176 within 175: no proxyDHCP wait.
const IPXE_NO_WAIT: &str = "B00101";

fn classes(view: &View<'_>) -> Items {
    let mut all: Items = Vec::new();
    let mut add = |origins: Origins, class: &Class<'_>| all.push((origins, json(class)));
    let test = |text: &str| Some(text.to_owned());
    let ipxe = vec![bytes(175, IPXE_NO_WAIT)];
    add(Vec::new(), &Class { name: "ipxe".into(), test: test(IS_IPXE), option_data: ipxe, ..Class::default() });
    let mut boots = vec!["member('ipxe')".to_owned()];
    for loader in &view.loaders {
        let name = format!("boot-{}", loader.firmware);
        boots.push(format!("member('{name}')"));
        add(loader.origins.clone(), &boot_class(name, loader_test(loader), None, loader.file));
    }
    let pxe = vec![always("vendor-class-identifier", "PXEClient"), bytes(43, PXE_CONTROL)];
    let definition = OptionDef { name: "vendor-encapsulated-options", code: 43, kind: "binary" };
    let is_pxe = format!("substring(option[60].hex,0,9) == 'PXEClient' and ({})", boots.join(" or "));
    let from = view.loaders.iter().flat_map(|loader| loader.origins.clone()).collect();
    add(from, &Class { name: "pxe".into(), test: Some(is_pxe), option_def: vec![definition], option_data: pxe, ..Class::default() });
    for (secs, origins) in own_leases(view) {
        add(origins, &Class { name: format!("lease-{secs}"), valid_lifetime: Some(secs), ..Class::default() });
    }
    for network in &view.networks {
        scripts(network, view, &mut add);
    }
    all
}

fn boot_class(name: String, test: String, only_if_required: Option<bool>, file: &str) -> Class<'_> {
    let option_data = vec![always("boot-file-name", file)];
    Class { name, test: Some(test), only_if_required, boot_file_name: Some(file), option_data, ..Class::default() }
}

fn loader_test(loader: &LoaderView) -> String {
    let archs: Vec<String> = loader.arch.iter().map(|arch| format!("substring(option[93].hex,0,2) == 0x{arch:04x}")).collect();
    let ipxe = if loader.is_for_ipxe_too() { "" } else { " and not member('ipxe')" };
    format!("option[93].exists and ({}){ipxe}", archs.join(" or "))
}

/// What iPXE is given instead of a loader, where the network tells its server.
fn scripts(view: &NetworkView<'_>, site: &View<'_>, add: &mut impl FnMut(Origins, &Class<'_>)) {
    let network = view.network;
    let Some(server) = &network.server else { return };
    let bios = if site.has_pxelinux { " and not member('boot-bios')" } else { "" };
    let test = |who: &str| format!("member('ipxe') and {who}{bios}");
    let url = script_by_mac(server.value);
    add(vec![server.span], &boot_class(script_class(network), test("member('KNOWN')"), Some(true), &url));
    for (number, pool) in view.pools.iter().enumerate() {
        let url = script_of_menu(server.value, pool.menu);
        let class = boot_class(pool_class(network, number), test("not member('KNOWN')"), Some(true), &url);
        add(vec![pool.pool.span, server.span], &class);
    }
}

fn script_class(network: &Network) -> String {
    format!("script-{}", network.name)
}

fn pool_class(network: &Network, number: usize) -> String {
    format!("script-{}-pool-{}", network.name, number + 1)
}

/// The lease of a network's pool clients: Kea has one for all of its pools.
fn pool_lease(network: &Network) -> u32 {
    secs(network.pools.first().map_or(network.lease_secs, |pool| pool.lease_secs))
}

/// Leases of reservations that are not their network's, and who has them.
fn own_leases(view: &View<'_>) -> std::collections::BTreeMap<u32, Origins> {
    let mut all: std::collections::BTreeMap<u32, Origins> = std::collections::BTreeMap::new();
    for network in &view.networks {
        for host in network.hosts.iter().filter(|host| secs(host.lease_secs) != pool_lease(network.network)) {
            // One host tells enough; ten thousand would make the line's origins longer than the file.
            all.entry(secs(host.lease_secs)).or_insert_with(|| vec![host.span]);
        }
    }
    all
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reservation<'a> {
    hw_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_address: Option<String>,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    client_classes: Vec<String>,
    /// Option 17, for clients that ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    option_data: Vec<OptionData<'a>>,
}

/// One for each MAC; with the address and the root where `home` is the host's network.
fn reservations(host: &Host, home: Option<&Network>, view: &View<'_>) -> Items {
    let address = host.address.as_ref().filter(|_| home.is_some()).map(|at| at.value.to_string());
    let lease = home.map(|_| secs(host.lease_secs)).filter(|secs| home.is_some_and(|home| pool_lease(home) != *secs));
    let root = view.roots.get(&host.name).filter(|_| home.is_some());
    let from: Origins = std::iter::once(host.span).chain(root.map(|(_, span)| *span)).collect();
    let rows = host.macs.iter().map(|mac| Reservation {
        hw_address: mac.value.to_string(),
        ip_address: address.clone(),
        hostname: host.name.as_str(),
        client_classes: lease.iter().map(|secs| format!("lease-{secs}")).collect(),
        option_data: root.map(|(path, _)| OptionData { name: Some("root-path"), code: None, data: path, csv_format: None, always_send: None }).into_iter().collect(),
    });
    rows.map(|row| (from.clone(), json(&row))).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct PoolRow {
    pool: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    require_client_classes: Vec<String>,
}

fn subnet(view: &NetworkView<'_>, site: &View<'_>, end: &str, out: &mut Json) {
    let network = view.network;
    let from = [network.span];
    // Leases on disk bear it, so it must not change when another network joins.
    let id = u32::from(network.subnet.base()).clamp(1, u32::MAX - 1);
    out.add(&from, "      {");
    out.add(&from, format_args!("        \"id\": {id}, \"subnet\": \"{}\",", network.subnet));
    out.add(&from, format_args!("        \"user-context\": {{ \"network\": {} }},", json(&network.name)));
    // Of a client that we know nothing about, another server may know (RFC 2131 §4.3.2).
    out.add(&from, format_args!("        \"authoritative\": {},", !network.pools.is_empty()));
    out.add(&from, format_args!("        \"valid-lifetime\": {},", pool_lease(network)));
    if let Some(server) = &network.server {
        out.add(&[server.span], format_args!("        \"next-server\": \"{}\",", server.value));
        out.add(&[server.span], format_args!("        \"require-client-classes\": [{}],", json(&script_class(network))));
    }
    out.list(8, "\"option-data\"", subnet_options(network), ",");
    out.list(8, "\"pools\"", pools(view), ",");
    let reserved = view.hosts.iter().flat_map(|host| reservations(host, Some(network), site)).collect();
    out.list(8, "\"reservations\"", reserved, "");
    out.add(&from, format_args!("      }}{end}"));
}

fn subnet_options(network: &Network) -> Items {
    let mut all: Items = Vec::new();
    let broadcast = network.subnet.last().to_string();
    all.push((vec![network.span], json(&always("broadcast-address", &broadcast))));
    if let Some(gateway) = &network.gateway {
        all.push((vec![gateway.span], json(&always("routers", &gateway.value.to_string()))));
    }
    if let Some(first) = network.dns.first() {
        let servers: Vec<String> = network.dns.iter().map(|at| at.value.to_string()).collect();
        all.push((vec![first.span], json(&always("domain-name-servers", &servers.join(", ")))));
    }
    if let Some(server) = &network.server {
        all.push((vec![server.span], json(&always("dhcp-server-identifier", &server.value.to_string()))));
    }
    all
}

fn pools(view: &NetworkView<'_>) -> Items {
    let named = view.network.server.is_some();
    let pools = view.pools.iter().enumerate().flat_map(|(number, pool)| {
        let class = named.then(|| pool_class(view.network, number));
        pool.ranges.iter().map(move |(first, last)| {
            let row = PoolRow { pool: format!("{first}-{last}"), require_client_classes: class.iter().cloned().collect() };
            (vec![pool.pool.span, view.network.span], json(&row))
        })
    });
    pools.collect()
}
