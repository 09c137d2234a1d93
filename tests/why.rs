//! `why`: what it tells about every host is what the tables of `out/` say, and it names the line that won.

use std::path::Path;

use pxelator::out::table::{HostRow, ReservationRow};
use pxelator::schema::duration_secs;
use pxelator::{compile, explain_value};

use crate::harness::{Folder, ROOT, files, inputs};

/// Path, value, line, and what it beat with its line.
type Told = (String, String, usize, Vec<(String, usize)>);

/// The values under a path, each with the line that won and those that it beat.
fn told(site: &str, path: &str) -> Vec<Told> {
    let (compiled, answer) = explain_value(inputs(site), "site.kdl", path);
    assert_eq!(compiled.diags.errors(), 0, "{:#?}", compiled.diags);
    let line = |span: pxelator::source::Span| compiled.sources.get(span.file).unwrap().place(span.start as usize).line;
    let fact = |fact: pxelator::eval::Fact| {
        let beaten = fact.beaten.into_iter().map(|beaten| (beaten.value, line(beaten.span))).collect();
        (fact.path, fact.value, line(fact.span), beaten)
    };
    answer.unwrap().into_iter().map(fact).collect()
}

#[test]
fn a_value_tells_its_line_and_what_it_beat() {
    let site = "site lab profile=local lease=\"1h\"\n\
        network lan \"10.0.0.0/24\" profile=rescue lease=\"2h\" {\n\
        group outer profile=disk {\n\
        group inner lease=\"3h\" tags=\"a\" {\n\
        host pc 5 profile=other tags=\"b\"\n\
        } } }\n\
        profile disk { local }\nprofile rescue { local }\nprofile other lease=\"4h\" { local }\n\
        profile child extends=other label=\"Child\" { local }\n";
    let own = |path: &str, value: &str, line: usize, beaten: &[(&str, usize)]| {
        let beaten: Vec<_> = beaten.iter().map(|(value, line)| ((*value).to_owned(), *line)).collect();
        (path.to_owned(), value.to_owned(), line, beaten)
    };
    assert_eq!(told(site, "host.pc.profile"), [own("host.pc.profile", "other", 5, &[("disk", 3), ("rescue", 2), ("local", 1)])]);
    assert_eq!(told(site, "host.pc.lease"), [own("host.pc.lease", "3h", 4, &[("2h", 2), ("4h", 9), ("1h", 1)])]);
    assert_eq!(told(site, "host.pc.tags"), [own("host.pc.tags", "a", 4, &[]), own("host.pc.tags", "b", 5, &[])]);
    assert_eq!(told(site, "network.lan.lease"), [own("network.lan.lease", "2h", 2, &[("1h", 1)])]);
    assert_eq!(told(site, "profile.child.lease"), [own("profile.child.lease", "4h", 9, &[])]);
    assert_eq!(told(site, "site.domain"), [own("site.domain", "home.arpa", 1, &[])]);
}

#[test]
fn what_lost_by_its_priority_is_told() {
    let site = "site lab\nuse kiosk { words (default)\"a\"; page \"x\" }\nuse kiosk { page (force)\"y\" }\n\
        menu default=local { entry local; entry kiosk }\nmenu timeout=(default)\"9s\"\nmenu timeout=\"3s\"\n\
        // file: modules/kiosk.kdl\nmodule kiosk {\noption page (string)required doc=\"p\"\noption words (list)\"q\" doc=\"w\"\n\
        option idle (duration)\"5m\" doc=\"i\"\nconfig { profile kiosk { local } } }\n";
    let beaten = told(site, "use.kiosk.page");
    assert_eq!(beaten[0].1, "y");
    assert_eq!(beaten[0].3, [("x".to_owned(), 2)]);
    assert_eq!(told(site, "menu.timeout")[0].3, [("9s".to_owned(), 5)]);
    assert_eq!(told(site, "use.kiosk.idle")[0].1, "5m");
}

#[test]
fn what_is_told_of_hosts_is_what_the_tables_say() {
    let cases = files(&Path::new(ROOT).join("tests/compile"));
    let example = Folder::with_example();
    let mut sites: Vec<pxelator::source::Inputs> = cases
        .iter()
        .filter(|(path, _)| path.ends_with("/site.kdl"))
        .map(|(path, bytes)| {
            let mut site = inputs(std::str::from_utf8(bytes).unwrap());
            let folder = path.trim_end_matches("site.kdl");
            let others = cases.iter().filter_map(|(path, bytes)| Some((path.strip_prefix(folder)?.to_owned(), bytes.clone())));
            site.extend(others.filter(|(path, _)| !path.starts_with("out/")));
            site
        })
        .collect();
    sites.push(pxelator::store::read_site(&example.0.join("site.kdl")).unwrap().0);
    let mut told = 0;
    for site in sites {
        let compiled = compile(site.clone(), "site.kdl");
        let tree = compiled.tree.unwrap();
        let rows = |path: &str| tree.get(path).map(|file| String::from_utf8(file.bytes().to_vec()).unwrap()).unwrap_or_default();
        let leases: Vec<ReservationRow> =
            rows("dhcp/leases.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for row in rows("boot/hosts.jsonl").lines().map(|line| serde_json::from_str::<HostRow>(line).unwrap()) {
            let (_, facts) = explain_value(site.clone(), "site.kdl", &format!("host.{}", row.host));
            let facts = facts.unwrap();
            let value = |name: &str| facts.iter().find(|fact| fact.path.ends_with(name)).map(|fact| fact.value.clone());
            assert_eq!(value(".profile").unwrap_or("default".into()), row.menu, "{}", row.host);
            if let Some(secs) = leases.iter().find(|lease| lease.host == row.host).and_then(|lease| lease.lease_secs) {
                assert_eq!(duration_secs(&value(".lease").unwrap()), Some(secs.into()), "{}", row.host);
            }
            told += 1;
        }
    }
    assert!(told > 30, "{told}");
}

#[test]
fn unknown_paths_name_what_is_near() {
    let folder = Folder::with_example();
    for (path, near) in [
        ("host.kiosk-3", "kiosk-03"),
        ("hst.kiosk-03", "`host`"),
        ("profile.kiosk.kernl", "profile.kiosk.kernel"),
        ("use.kiosk.ulr", "use.kiosk.url"),
    ] {
        let run = folder.run(&["why", path]);
        assert_eq!(run.code(), 2, "{path}");
        assert!(run.err().contains(near), "{path}: {}", run.err());
    }
    let run = folder.run(&["why", "host.kiosk-02.profile", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&run.out()).unwrap();
    assert_eq!(told[0]["value"], "kiosk-beta");
    assert_eq!(told[0]["beaten"][0]["value"], "kiosk");
}
