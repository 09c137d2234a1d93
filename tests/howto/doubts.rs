//! What is understood, and must not be done all the same: half of a firewall, an uninstall, a restart out of place.

use pxelator::howto::Step;

use super::reading::{kinds, rules, steps};

/// Whoever shuts the door before all are let in that shall be locks everybody out.
#[test]
fn a_firewall_that_is_not_understood_as_a_whole_is_shut_by_a_person() {
    let whole = "ufw allow 22/tcp\nufw deny 23/tcp\nufw default deny incoming\nufw --force enable";
    assert_eq!(kinds(&steps(whole)), "cxcxcxcx");
    assert_eq!(kinds(&steps(&format!("ufw allow proto tcp to any port 2222\n{whole}"))), "mcxmmm");
    let apart = format!("# T\n## A\n```sh\n{whole}\n```\n## B\n```sh\nufw allow from $ME to any port 22\n```\n");
    let found: String = rules(&apart).iter().map(|rule| kinds(&rule.steps)).collect();
    assert_eq!(found, "cxmmmm");
    // What only switches it on opens nothing.
    assert_eq!(kinds(&steps("ufw deny 23/tcp\nufw enable")), "cxm");
}

/// "Uninstall" at the end of a how-to is no step of it.
#[test]
fn what_takes_back_what_was_made_is_left_to_a_person() {
    let made = "## Install\n```sh\napt install -y app\necho x > /etc/app/x\nsystemctl enable --now app\n```\n";
    let of = |tail: &str| rules(&format!("# T\n{made}{tail}"));
    let whole: String = of("").iter().map(|rule| kinds(&rule.steps)).collect();
    for back in ["systemctl disable --now app", "rm -rf /etc/app", "rm /etc/app/x", "apt purge -y app", "systemctl stop app\nls"]
    {
        let found = of(&format!("## Later\n```sh\n{back}\n```\n"));
        let all: String = found.iter().map(|rule| kinds(&rule.steps)).collect();
        assert_eq!(all, format!("{whole}m"), "{back}: {found:?}");
        let told = format!("{:?}", found.last());
        assert!(told.contains("This takes back what is made before it") && told.contains(back.lines().next().unwrap()), "{told}");
    }
    let named: String = of("## Uninstall\n```sh\nrm -rf /var/lib/app\n```\n").iter().map(|rule| kinds(&rule.steps)).collect();
    assert_eq!(named, format!("{whole}m"));
    // What is stopped and started again, or made anew, is taken back by nobody.
    let again: String = of("## Again\n```sh\nsystemctl stop app\necho y > /etc/app/x\nsystemctl start app\n```\n")
        .iter()
        .map(|rule| kinds(&rule.steps))
        .collect();
    assert!(!again.contains('m'), "{again}");
}

#[test]
fn a_restart_below_its_own_heading_is_for_the_files_before_it() {
    let text = |restart: &str| {
        format!(
            "# T\n## Install\n```sh\napt install -y nginx\n```\n## Page\n```sh\necho x > /etc/x\n```\n## Restart\n```sh\n{restart}\n```\n"
        )
    };
    let found = rules(&text("sudo systemctl restart nginx"));
    assert_eq!(found.iter().map(|rule| kinds(&rule.steps)).collect::<Vec<_>>(), ["p", "fx", "cx"]);
    assert_eq!(found[1].steps[1], Step::Apply("systemctl restart nginx".to_owned()));
    // The guard stays.
    for guard in ["sudo nginx -t && sudo systemctl restart nginx", "sudo nginx -t\nsudo systemctl restart nginx"] {
        let found = rules(&text(guard));
        assert_eq!(found[1].steps[1], Step::Apply("nginx -t && systemctl restart nginx".to_owned()), "{guard}");
    }
    assert_eq!(
        steps("apache2ctl configtest && systemctl reload apache2")[1],
        Step::Apply("apache2ctl configtest && systemctl reload-or-restart apache2".to_owned())
    );
    // What a person edits is nobody's to see.
    let by_hand = steps("nano /etc/x\nsystemctl restart nginx");
    assert_eq!(kinds(&by_hand), "mcx");
    let found = rules("# T\n## Edit\n```sh\nnano /etc/x\n```\n## Restart\n```sh\nsystemctl restart nginx\n```\n");
    assert_eq!(found.iter().map(|rule| kinds(&rule.steps)).collect::<Vec<_>>(), ["m", "cxm"]);
}

/// A check that says nothing before its own rule was applied would keep the rule from ever being applied.
#[test]
fn a_check_of_what_is_made_before_it_is_in_a_rule_of_its_own() {
    let found = rules("# T\n## It\n```sh\ncp /etc/a /etc/b\nsed -i 's/^Port .*/Port 5/' /etc/b\n```\n");
    assert_eq!(found.iter().map(|rule| kinds(&rule.steps)).collect::<Vec<_>>(), ["cx", "cx"]);
    assert_eq!(found[1].after, Some(0));
}
