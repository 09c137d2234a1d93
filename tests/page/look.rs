//! The page as people see it: photographs, keys, live changes, without scripts, narrow, and for screen readers.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::browser::Browser;
use super::scene::Scene;
use crate::harness::{ROOT, have, tool};

const PAGE: &str = "http://10.77.0.2:8091";
const NEEDS: &[&str] = &["root", "ip", "chromium", "rrdtool", "curl"];
const PAGES: &[(&str, &str)] = &[
    ("overview", "/"),
    ("host", "/host/pc-03"),
    ("audit", "/audit"),
    ("alerts", "/alerts"),
    ("trends", "/trends?span=week"),
    ("generations", "/generations"),
    ("find", "/find?q=pc"),
];

/// Also what only looks so: nothing is wider than the window.
const FITS: &str = "document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth";

fn opened(scene: &Scene) -> Browser {
    let mut browser = Browser::start(&scene.within());
    browser.width(1280);
    browser.open(&format!("{PAGE}/"));
    // The router is found to be the reason for all that lies behind it.
    browser
        .until("document.querySelectorAll('.host.behind').length === 20 && document.querySelectorAll('.host.down').length === 3");
    browser
}

#[test]
fn the_page_is_photographed_in_light_and_dark_wide_and_narrow() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("look");
    let mut browser = opened(&scene);
    for (scheme, width, suffix) in
        [("light", 1280, "light"), ("dark", 1280, "dark"), ("light", 360, "narrow"), ("dark", 360, "narrow-dark")]
    {
        browser.scheme(scheme);
        browser.width(width);
        for (name, path) in PAGES {
            browser.open(&format!("{PAGE}{path}"));
            browser.evaluate(
                "Promise.all([...document.images].map(one => { one.loading = 'eager'; return one.decode() })).then(() => true)",
            );
            assert_eq!(browser.evaluate(FITS), true, "{name} at {width} is wider than the window");
            browser.photograph(&format!("{name}-{suffix}"));
        }
    }
    browser.calm();
    for (name, _) in PAGES {
        let picture = Path::new(ROOT).join(format!("target/photographs/{name}-narrow.png"));
        let png = fs::read(&picture).unwrap();
        assert_eq!((&png[1..4], &png[16..20]), (&b"PNG"[..], &360_u32.to_be_bytes()[..]), "{}", picture.display());
    }
}

#[test]
fn without_scripts_everything_is_there_and_every_link_leads_somewhere() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("plain");
    let mut browser = opened(&scene);
    browser.scripts(false);
    browser.open(&format!("{PAGE}/"));
    assert_eq!(browser.evaluate("document.querySelector('#live').hidden"), true, "nothing is live without scripts");
    let text = browser.evaluate("document.body.innerText").as_str().unwrap().to_owned();
    for wanted in [
        "router",
        "20 hosts cannot be reached because of it",
        "seat-20",
        "on at 07:30",
        "2 unknown machines",
        "10.77.0.100",
        "DHCP",
    ] {
        assert!(text.contains(wanted), "no {wanted}: {text}");
    }
    let line = browser.evaluate("document.querySelector('.line').value");
    assert_eq!(line, "host new-1 3 \"52:54:00:aa:00:02\"");
    browser.photograph("overview-without-scripts");
    let links = browser.evaluate("[...document.querySelectorAll('a[href^=\"/\"]')].map(one => one.getAttribute('href'))");
    let mut links: Vec<&str> = links.as_array().unwrap().iter().filter_map(|link| link.as_str()).collect();
    links.sort_unstable();
    links.dedup();
    assert!(links.len() > 40, "{links:?}");
    for link in links {
        assert_eq!(scene.curl(&["-o", "/dev/null", "-w", "%{http_code}", &format!("{PAGE}{link}")]), "200", "{link}");
    }
    // A form, sent by its button.
    browser.open(&format!("{PAGE}/audit?host=pc-03&grep=publickey&since=1d"));
    assert_eq!(browser.evaluate("document.querySelectorAll('.audit tbody tr').length"), 1);
}

#[test]
fn what_happens_is_shown_at_once_and_the_reader_keeps_the_place() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("live");
    let mut browser = opened(&scene);
    browser.until("document.querySelector('#live').textContent === 'Live'");
    browser
        .evaluate("window.same = true; document.querySelector('.host a[href=\"/host/pc-07\"]').focus(); scrollTo(0, 40); true");
    // A host that was silent answers.
    tool("ip", &["-n", &scene.namespace, "addr", "add", "10.77.0.25/32", "dev", "lo"]);
    browser.until("!document.querySelector('.host a[href=\"/host/pc-05\"]').closest('.host').classList.contains('down')");
    assert_eq!(browser.evaluate("window.same && document.activeElement.getAttribute('href')"), "/host/pc-07", "the focus stays");
    assert_eq!(browser.evaluate("scrollY"), 40, "and so does the place");
    browser.evaluate("document.querySelector('#live').click(); true");
    assert_eq!(browser.evaluate("document.querySelector('#live').textContent"), "Paused");
    scene.server.as_ref().unwrap().logged();
    tool("ip", &["-n", &scene.namespace, "addr", "del", "10.77.0.25/32", "dev", "lo"]);
    scene.server.as_ref().unwrap().wait_for("alert-fired");
    assert_eq!(
        browser.evaluate("document.querySelector('.host a[href=\"/host/pc-05\"]').closest('.host').classList.contains('down')"),
        false
    );
    browser.evaluate("document.querySelector('#live').click(); true");
    browser.until("document.querySelector('.host a[href=\"/host/pc-05\"]').closest('.host').classList.contains('down')");
    browser.calm();
}

#[test]
fn keys_reach_everything_and_a_reader_is_told_every_name() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("keys");
    let mut browser = opened(&scene);
    browser.key("Tab", "");
    assert_eq!(browser.evaluate("document.activeElement.className"), "skip", "the first key skips what is the same on each page");
    browser.key("/", "/");
    assert_eq!(browser.evaluate("document.activeElement.id + document.activeElement.value"), "find");
    for letter in "pc-03".chars() {
        browser.key(&letter.to_string(), &letter.to_string());
    }
    browser.key("Enter", "\r");
    browser.until("location.pathname === '/host/pc-03' && document.readyState === 'complete'");
    for (name, path) in PAGES {
        browser.open(&format!("{PAGE}{path}"));
        // Every link, field and button is reached by Tab, in the order of the page, and nothing else holds the focus.
        let wanted = "[...document.querySelectorAll('a, input, button, summary')].filter(one => one.checkVisibility()).length";
        let wanted = browser.evaluate(wanted).as_u64().unwrap();
        browser.evaluate("window.met = new Set(); document.addEventListener('focusin', event => met.add(event.target)); document.activeElement.blur(); true");
        (0..wanted + 1).for_each(|_| browser.key("Tab", ""));
        assert!(browser.evaluate("met.size").as_u64().unwrap() >= wanted, "{name}: {wanted}");
        let levels = browser.evaluate("[...document.querySelectorAll('h1, h2, h3, h4')].map(one => +one.tagName[1])");
        let levels: Vec<u64> = levels.as_array().unwrap().iter().filter_map(|level| level.as_u64()).collect();
        assert!(levels[0] == 1 && levels.windows(2).all(|two| two[1] <= two[0] + 1), "{name}: headings {levels:?}");
        let tree = browser.ask("Accessibility.getFullAXTree", json!({}));
        for node in tree["nodes"].as_array().unwrap() {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            let is_control =
                ["link", "button", "textbox", "searchbox", "combobox", "image", "meter", "table", "navigation", "form", "search"]
                    .contains(&role);
            let nameless = node["name"]["value"].as_str().unwrap_or_default().trim().is_empty() && node["ignored"] != true;
            assert!(
                !(is_control && nameless) || matches!(role, "table" | "form" | "search" | "meter"),
                "{name}: a {role} without a name: {node}"
            );
        }
        let landmarks = browser.evaluate("['header', 'nav', 'main', 'footer'].every(name => document.querySelector(name))");
        assert_eq!(landmarks, true, "{name}");
    }
    browser.calm();
}

#[test]
fn hostile_names_are_words_and_nothing_else() {
    if !have(NEEDS) {
        return;
    }
    let scene = Scene::new("hostile");
    let mut browser = opened(&scene);
    for path in [
        "/",
        "/audit?since=1d",
        "/host/pc-02",
        "/find?q=%3Cscript%3Ealert(1)%3C/script%3E",
        "/audit?grep=%3Cscript%3E(&host=%22%3E%3Cb%3E",
        "/nope/%3Cscript%3E",
    ] {
        let html = scene.curl(&[&format!("{PAGE}{path}")]);
        assert!(!html.contains('\u{202e}'), "{path} turns the direction of writing");
        assert!(
            !html.contains("<script>") && !html.contains("<img src=x") && html.matches("<script").count() == 1,
            "{path}: {html}"
        );
        browser.open(&format!("{PAGE}{path}"));
        assert_eq!(browser.evaluate("document.scripts.length"), 1, "{path}");
        browser.calm();
    }
    let shown = scene.curl(&[&format!("{PAGE}/audit?since=1d&service=syslog")]);
    assert!(shown.contains("&lt;script&gt;alert(document.domain)&lt;"), "{shown}");
}
