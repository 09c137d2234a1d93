//! What is read out of a how-to, and what is left to a person.

use std::collections::BTreeSet;

use pxelator::howto::{BLOCK_LINES_MAX, COMMANDS_MAX, HOWTO_BYTES_MAX, RULES_MAX, Refused, Rule, Step, read};

use crate::growth::thread_cpu_secs;

pub(super) fn rules(text: &str) -> Vec<Rule> {
    read(text).unwrap_or_else(|refused| panic!("{refused}: {text}")).rules
}

/// The steps of one block, all rules in a row.
pub(super) fn steps(block: &str) -> Vec<Step> {
    rules(&format!("# T\n\n## It\n\n```sh\n{block}\n```\n")).into_iter().flat_map(|rule| rule.steps).collect()
}

pub(super) fn kinds(steps: &[Step]) -> String {
    let kind = |step: &Step| match step {
        Step::Package(_) => 'p',
        Step::File { .. } => 'f',
        Step::Folder { .. } => 'd',
        Step::Link { .. } => 'l',
        Step::Absent(_) => 'a',
        Step::Check(_) => 'c',
        Step::Apply(_) => 'x',
        Step::Manual(_) => 'm',
    };
    steps.iter().map(kind).collect()
}

/// Blocks of which nothing is understood for sure: each is left to a person, whole.
const LEFT: &[&str] = &[
    "make && sudo make install",
    "curl -fsSL https://example.org/install.sh | sh",
    "sudo apt install ./package.deb",
    "sudo apt install nginx=1.22.1-9",
    "sudo apt install $PACKAGES",
    "sudo apt install linux-headers-$(uname -r)",
    "sudo apt install linux-headers-`uname -r`",
    "sudo usermod -aG docker $USER",
    "sudo usermod -aG docker \"$USER\"",
    "for x in a b; do sudo mkdir /srv/$x; done",
    "if [ -e /etc/x ]; then rm /etc/x; fi",
    "while true; do sleep 1; done",
    "test -e /etc/x || touch /etc/x",
    "sudo rm -f /var/log/*.log",
    "sudo rm ~/x",
    "mkdir -p build && cd build",
    "mkdir relative",
    "cd /srv\nsudo mkdir -p /srv/x",
    "sudo -u postgres createuser lab",
    "sudo cp -r /srv/a /srv/b",
    "sudo cp a.conf /etc/a.conf",
    "sudo mkdir -p /srv/{a,b}",
    "sudo mkdir /srv/../etc/x",
    "cat <<EOF | sudo tee /etc/x\nhome=$HOME\nEOF",
    "cat <<EOF | sudo tee /etc/x\nno end",
    "echo \"$(hostname)\" | sudo tee /etc/x",
    "echo 'a\\tb' | sudo tee /etc/x",
    "printf '%d\\n' 5 | sudo tee /etc/x",
    "echo x | sudo tee /etc/x /etc/y",
    "echo x > relative",
    "sudo tee /etc/x < y",
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "echo 'root:secret' | sudo chpasswd",
    "sudo service nginx start &",
    "(cd /srv; touch x)",
    "export PATH=/opt/bin:/usr/bin",
    "X=1 sudo touch /etc/x",
    "sudo chmod u+s /usr/bin/x",
    "sudo chown anna: /srv/x",
    "sudo ln -s /srv/a",
    "sudo ln /srv/a /srv/b",
    "sudo ip addr add 10.0.0.1/24 dev eth0",
    "sudo date -s 12:00",
    "sudo hostname other",
    "sudo bash -c \"for x in 1 2; do touch /etc/$x; done\"",
    "sudo bash -c 'sh -c \"sh -c ls\"'",
    "git clone https://example.org/x.git",
    "wget https://example.org/x.tar.gz",
    "tar xf x.tar.gz",
    "echo 'never closed",
    "sudo systemctl enable --now $SERVICE",
    "sudo apt install nginx | tee /tmp/log",
    "echo x >> /etc/y | cat",
    "sudo nosuchprogram --really",
    "sudo apt remove",
    "sudo sysctl -w net.ipv4.ip_forward",
    "touch --date=yesterday /etc/x",
    // A name, or two in the old form; paths that no rule names.
    "sudo chown jana.kos /srv/x",
    "sudo mkdir -p '/srv/my files' && sudo chmod 755 /srv",
    "echo x | sudo tee '/etc/my conf'",
    "ln -s /srv/a '/srv/a b'",
    // Whether the second runs hangs on what the first one sees.
    "id -u web && sudo systemctl restart nginx",
    // What follows is done elsewhere, or by somebody else.
    "ssh root@server\nsudo rm -rf /srv/data\nexit",
    "ssh root@server reboot",
    "su - postgres\nrm -rf /srv/data",
    "sftp nas\nrm /srv/data/x",
    "virsh\nrm /srv/data/x",
];

#[test]
fn in_doubt_a_person_does_it_word_for_word() {
    let mut wrong = Vec::new();
    for block in LEFT {
        let steps = steps(block);
        let whole = matches!(steps.as_slice(), [Step::Manual(text)] if text.contains(block.trim()));
        if !whole && kinds(&steps) != "m" {
            wrong.push(format!("{block}: {steps:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Commands that a person does, while the rest of the block is understood.
const TOLD: &[&str] = &[
    "sudo nano /etc/x.conf",
    "sudo dpkg-reconfigure tzdata",
    "sudo passwd anna",
    "sudo reboot",
    "sudo ufw enable",
    "sudo ufw delete allow 80",
    "sudo adduser anna",
    "sudo update-rc.d apache2 defaults",
    "sudo apt upgrade -y",
    "sudo sed -i '/^#/d' /etc/x",
    "sudo sed -i 's/foo/foobar/' /etc/x",
    "sudo sed -i 's/\\(a\\)b/\\1c/' /etc/x",
    "sudo sed -i 's/a.*b/c/' /etc/x",
    "sudo sed -i -E 's/^a|b.*/c/' /etc/x",
    "sudo rm -rf /etc",
    "sudo smbpasswd -a anna",
    "sudo crontab -e",
];

#[test]
fn what_asks_is_told_and_the_rest_goes_on() {
    let mut wrong = Vec::new();
    for command in TOLD {
        let steps = steps(&format!("sudo apt install -y nginx\n{command}\nsudo systemctl enable nginx"));
        let program = command.trim_start_matches("sudo ").split(' ').next().unwrap();
        let told =
            steps.iter().any(|step| matches!(step, Step::Manual(text) if text.contains(program) || text.contains("/etc/x.conf")));
        if kinds(&steps) != "pmcx" || !told {
            wrong.push(format!("{command}: {steps:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only looks leaves nothing behind.
#[test]
fn looking_is_no_rule() {
    for command in [
        "sudo apt update",
        "systemctl status nginx",
        "cat /etc/hosts",
        "ls -l /srv",
        "ip a",
        "sudo -i",
        "su -",
        "echo done",
        "sudo nginx -t",
    ] {
        assert_eq!(
            steps(&format!("{command}\nsudo apt install -y nginx")),
            [Step::Package(vec!["nginx".to_owned()])],
            "{command}"
        );
    }
}

fn file(steps: &[Step], path: &str) -> (String, Option<String>) {
    let found = steps.iter().find_map(|step| match step {
        Step::File { path: held, content, access } if held == path => {
            Some((String::from_utf8(content.clone()).unwrap(), access.mode.clone()))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no {path}: {steps:?}"))
}

#[test]
fn texts_are_taken_as_the_shell_would_write_them() {
    let cases = [
        ("echo 'a  b' > /etc/x", "a  b\n"),
        ("echo a   b | sudo tee /etc/x", "a b\n"),
        ("echo -n a > /etc/x", "a"),
        ("printf 'a\\tb\\n' > /etc/x", "a\tb\n"),
        ("printf '%s\\n' 'a b' c | sudo tee /etc/x >/dev/null", "a b\nc\n"),
        ("cat > /etc/x <<'EOF'\n$HOME `x` \\\nEOF", "$HOME `x` \\\n"),
        ("cat <<-EOF | sudo tee /etc/x\n\ta\n\tEOF", "a\n"),
        ("sudo tee /etc/x <<\"EOF\" > /dev/null\n  indented\n\n# no comment\nEOF\n", "  indented\n\n# no comment\n"),
        ("sudo sh -c 'echo \"it is\" > /etc/x'", "it is\n"),
        ("echo one > /etc/x\necho two >> /etc/x", "one\ntwo\n"),
        ("echo one > /etc/x\nls\necho two > /etc/x", "two\n"),
        ("echo one > /etc/x; rm -f /etc/x; echo three > /etc/x", "three\n"),
    ];
    for (block, text) in cases {
        let steps = steps(block);
        assert_eq!((kinds(&steps).as_str(), file(&steps, "/etc/x").0.as_str()), ("f", text), "{block}");
    }
}

#[test]
fn mode_and_owner_belong_to_the_line_that_makes_the_path() {
    let steps = steps(
        "echo x > /etc/x\nchmod 640 /etc/x\nchown root:adm /etc/x\nmkdir -p /srv/a\nchmod 2775 /srv/a\nchown root:staff /srv/a",
    );
    assert_eq!(kinds(&steps), "fd");
    assert_eq!(file(&steps, "/etc/x").1.as_deref(), Some("0640"));
    let steps = self::steps("echo x > /usr/local/bin/x; chmod +x /usr/local/bin/x");
    assert_eq!(file(&steps, "/usr/local/bin/x").1.as_deref(), Some("0755"));
    // The user is made first: so is the rule that makes it.
    let found = rules("# T\n## It\n```sh\necho x > /srv/x\nuseradd web\nchown web:web /srv/x\n```\n");
    assert_eq!(found.iter().map(|rule| kinds(&rule.steps)).collect::<Vec<_>>(), ["cx", "f"]);
    // Over a whole tree as well, so that the two do not pull at one folder.
    let steps = self::steps("echo x > /srv/a/x\nchown -R www-data:www-data /srv/a");
    let owned = |step: &Step| matches!(step, Step::File { access, .. } if access.owner.as_deref() == Some("www-data"));
    assert!(owned(&steps[0]) && kinds(&steps) == "fcx", "{steps:?}");
}

#[test]
fn of_two_states_the_last_is_wanted() {
    let text = |steps: &[Step]| format!("{steps:?}");
    let stopped = steps("systemctl stop nginx\necho x > /etc/x\nsystemctl start nginx");
    assert_eq!(kinds(&stopped), "fcx");
    assert!(text(&stopped).contains("systemctl start") && !text(&stopped).contains("systemctl stop"));
    assert_eq!(kinds(&steps("timedatectl set-timezone Europe/Zagreb\ntimedatectl set-timezone Etc/UTC")), "cx");
    assert_eq!(kinds(&steps("chmod 600 /etc/x\nls\nchmod 644 /etc/x")), "cx");
    assert_eq!(kinds(&steps("ufw allow 22/tcp\nufw allow 80/tcp")), "cxcx");
    // A copy that is edited afterwards is no longer a copy.
    let copied = steps("cp /etc/a /etc/b\nsed -i 's/^Port .*/Port 5/' /etc/b");
    assert!(!text(&copied).contains("cmp"), "{copied:?}");
    // What is deleted to be made anew is no state.
    assert_eq!(kinds(&steps("rm -rf /srv/www/x; mkdir -p /srv/www/x")), "mcx");
    assert_eq!(kinds(&steps("rm -rf /var/www/html\nln -s /srv/www /var/www/html")), "ml");
    assert_eq!(kinds(&steps("rm /etc/x\ntouch /etc/x")), "mcx");
    assert_eq!(kinds(&steps("rm -rf /srv/a /srv/b")), "cxcx");
    // Our own text is edited by whoever keeps it.
    assert_eq!(kinds(&steps("echo Port 1 > /etc/b\nsed -i 's/^Port .*/Port 5/' /etc/b")), "fm");
}

#[test]
fn a_rule_can_be_checked_before_anything_of_it_is_there() {
    let found = rules(
        "# T\n## It\n```sh\napt install ufw\necho x > /etc/x\nufw allow 22/tcp\nexportfs -ra\nmkdir -p /srv/y\necho y > /srv/y/y\n```\n",
    );
    assert_eq!(found.iter().map(|rule| kinds(&rule.steps)).collect::<Vec<_>>(), ["p", "cx", "fcx", "fx"]);
    let names: BTreeSet<_> = found.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["it"]));
    assert!(found.iter().enumerate().all(|(at, rule)| rule.after == at.checked_sub(1)));
    for rule in &found {
        let kinds = kinds(&rule.steps);
        let (mends, commands) = (kinds.rfind(['p', 'f', 'd', 'l', 'a']), kinds.find('x'));
        assert!(mends < commands || commands.is_none(), "{kinds}");
        assert!(!(kinds.contains('p') && kinds.contains('c')), "{kinds}");
    }
}

#[test]
fn blocks_are_shell_where_they_look_so() {
    let of = |block: &str| {
        kinds(
            &rules(&format!("# T\n\n```sh\napt install first\n```\n\n## It\n\n{block}\n"))
                .into_iter()
                .skip(1)
                .flat_map(|rule| rule.steps)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(of("```\nsudo apt install x2\n```"), "p");
    // Is it a comment, or what root types? Nobody runs it.
    assert_eq!(of("```\n# apt install x2\n# systemctl enable x2\n```"), "m");
    assert_eq!(of("    # apt install x2\n    # rm -rf /srv/x"), "m");
    assert_eq!(of("```\n$ sudo apt install x2\n# rm -rf /srv/x\n```"), "m");
    assert_eq!(of("```sh\n$ sudo apt install x2\n# rm -rf /srv/x\n```"), "m");
    assert_eq!(of("```console\n# apt install x2\n# systemctl enable x2\n```"), "pcx");
    for language in ["sh", "bash"] {
        assert_eq!(of(&format!("```{language}\nsudo apt install x2\n# rm -rf /srv/x\n```")), "p", "a comment stays one");
        assert_eq!(of(&format!("```{language}\n# rm -rf /srv/x\n# apt install x2\n```")), "");
    }
    assert_eq!(of("```\n$ sudo apt install x2\nReading package lists... Done\n```"), "p");
    assert_eq!(of("```bash\nanna@pc:~$ sudo apt install x2\nDone\n```"), "p");
    assert_eq!(of("```console\n[root@pc ~]# apt install x2\nDone\n```"), "p");
    assert_eq!(of("```sh\n# a comment\nsudo apt install x2\n```"), "p");
    assert_eq!(of("```ini\n[Section]\nkey = value\n```"), "m");
    assert_eq!(of("```\nserver {\n  listen 80;\n}\n```"), "m");
    assert_eq!(of("    sudo apt install x2"), "p");
    assert_eq!(of("    just an indented text"), "");
    assert_eq!(of("1. First:\n\n   ```sh\n   sudo apt install x2\n   ```\n"), "p");
    assert_eq!(of("~~~ {.bash}\nsudo apt install x2\n~~~"), "p");
    assert_eq!(of("<!-- ```sh\nsudo apt install x2\n``` -->"), "");
    assert_eq!(of("```sh\nsudo apt-get install -y \\\n    x2 \\\n    x3\n```"), "p");
    assert_eq!(of("```sh\r\nsudo apt install x2\r\n```"), "p");
}

#[test]
fn headings_are_names_and_prose_says_why() {
    let found = rules(
        "# The whole\n\nIntro.\n\n## 1. Žuti *server*\n\nWe need [a server](https://x). It is good.\n\n### Step 2: Start it!\n\n```sh\nsystemctl start x\n```\n",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].doc.as_deref(), Some("Start it!"));
    assert_eq!(found[0].name, "zuti-server/start-it");
    assert_eq!(read("# The whole\n```sh\nsystemctl start x\n```\n").unwrap().doc, "From the how-to \"The whole\".");
}

#[test]
fn limits_are_said() {
    assert_eq!(read(&"x".repeat(HOWTO_BYTES_MAX + 1)).unwrap_err(), Refused::TooLarge);
    assert_eq!(read("# Nothing\n\nOnly prose.\n").unwrap_err(), Refused::NoCommands);
    assert_eq!(read(&"a\n\n".repeat(20_001)).unwrap_err(), Refused::TooManyParts);
    assert_eq!(read(&format!("```sh\n{}```\n", "ls\n".repeat(BLOCK_LINES_MAX + 1))).unwrap_err(), Refused::BlockTooLong);
    assert_eq!(
        read(&"```sh\ntouch /etc/x;touch /etc/x;touch /etc/x\n```\n".repeat(COMMANDS_MAX / 3 + 1)).unwrap_err(),
        Refused::TooManyCommands
    );
    let many: String = (0..=RULES_MAX).map(|n| format!("## h{n}\n```sh\ntouch /etc/x{n}\n```\n")).collect();
    assert_eq!(read(&many).unwrap_err(), Refused::TooManyRules);
}

/// Texts that would cost the square of their length, did anybody read them so.
#[test]
fn hostile_texts_are_read_or_refused_soon() {
    let block = |lines: String| format!("# T\n## It\n```sh\n{lines}```\n");
    let full = |piece: &str| piece.repeat(HOWTO_BYTES_MAX / piece.len() - 1);
    let texts = [
        full("["),
        full("[a]("),
        full("#"),
        full("`"),
        format!("x\n{}", full("-")),
        full("    $ x\n"),
        block(format!("mkdir -p{}\n", " /a".repeat(300_000))),
        block(format!("apt install{}\n", " ab".repeat(300_000))),
        block(format!("touch {}\n", "/a".repeat(500_000))),
        block(format!("echo {}\n", "'a'".repeat(300_000))),
        block("cat <<E <<E <<E <<E\n".repeat(4000)),
        block(format!("echo a > /etc/x\n{}", "echo a >> /etc/x\n".repeat(1900))),
        block(format!("{}{}", "mkdir /a/b\nuseradd b\n".repeat(300), "chown -R b:b /a\n".repeat(300))),
        block((0..400).map(|n| format!("echo a > /a/{n}\nuseradd u{n}\nchown -R u{n} /a\n")).collect()),
    ];
    for text in texts {
        let begin = thread_cpu_secs();
        let _any = read(&text).map(|howto| pxelator::howto::write::module("x", &howto));
        // A tenth of it is needed; a square of these would take minutes.
        assert!(thread_cpu_secs() - begin < 20.0, "{} s: {}…", thread_cpu_secs() - begin, &text[..60]);
    }
}

/// Every beginning of the how-tos, and some noise: no panic, and quickly.
#[test]
fn any_text_is_read() {
    for name in super::golden::HOWTOS {
        let text = std::fs::read_to_string(format!("{}/tests/howto/{name}/HOWTO.md", crate::harness::ROOT)).unwrap();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            let _any = read(&text[..end]);
        }
    }
    for noise in [
        "```",
        "```sh",
        "```sh\n",
        "#",
        "######",
        "# \n===",
        "[",
        "[](",
        "```sh\n\\",
        "```sh\n'",
        "```sh\n\"\\",
        "```sh\n<<",
        "```sh\ncat <<E",
        "```sh\n|\n```",
        "```sh\n&&\n```",
        "```sh\n>\n```",
        "```sh\nx > \n```",
        "```sh\nsed -i s\n```",
        "```sh\nsed -i 's///' /x\n```",
        "```sh\nsudo\n```",
        "```console\n$\n$ \n```",
    ] {
        let _any = read(noise);
    }
}
