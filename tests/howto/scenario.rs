//! End to end: somebody follows a how-to on one machine; what was changed there becomes a module; another
//! machine gets it by one line; the second run changes nothing. Both machines have a real sshd.

use std::fs;

use crate::away::{Away, NEEDS};
use crate::harness::have;
use crate::rule::tree;

const NETWORK: &str = "site lab domain=\"lab.example\"\nnetwork lan \"10.80.0.0/22\" {\n    host a \"10.80.0.11\" \"a0:36:9f:00:00:15\"\n    host b \"10.80.0.12\" \"a0:36:9f:00:00:16\"\n}\ntrack \"/etc\" on=\"host:a\"\ntrack \"/srv\" on=\"host:a\"\n";

/// What an administrator reads, and types.
const HOWTO: &str = r#"# A notice board

## People

```sh
sudo groupadd --system board
sudo useradd --system --no-create-home --gid board --home-dir /srv/board --shell /usr/sbin/nologin board
```

## The page

```sh
sudo mkdir -p /srv/board
echo 'Closed on Monday.' | sudo tee /srv/board/index.txt
sudo chown -R board:board /srv/board
sudo chmod 0750 /srv/board
```

## Settings

```sh
sudo mkdir -p /etc/board/conf.d
printf 'root = "/srv/board"\nusers = {board}\n' | sudo tee /etc/board/conf.d/board.conf
sudo ln -sf conf.d/board.conf /etc/board/board.conf
sudo rm -f /etc/motd
```
"#;

#[test]
fn what_was_done_by_hand_on_one_machine_is_done_on_another_by_one_line() {
    if !have(NEEDS) {
        return;
    }
    let away = Away::new("u6");
    let (a, b) = (away.machine(11, &["/etc", "/srv"]), away.machine(12, &["/etc", "/srv"]));
    away.build(NETWORK);
    fs::create_dir(away.path("state")).unwrap();
    let state = ["--state", "state"];
    let run = |args: &[&str]| away.pxelator(&[args, &state].concat());
    run(&["track", "pull"]).ended(0);

    // The administrator logs in on A and does what the how-to says.
    let options: Vec<String> = away.options("own", "known").iter().map(|word| word.replace("--ssh-option", "-o")).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let ssh = |address: &str, script: &str| {
        let target = format!("pxana@{address}");
        let words =
            [&["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"], options.as_slice(), &[target.as_str(), script]].concat();
        away.run(&words)
    };
    let blocks: Vec<&str> = HOWTO.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    ssh("10.80.0.11", &format!("set -e\n{}", blocks.concat())).ended(0);
    run(&["track", "pull"]).ended(0);

    // What was changed there becomes a module, and B gets it by one line.
    let made = away.folder.run(&["rule", "from-changes", "a", "--name", "board", "--state", "state"]).ended(0);
    assert!(made.out().contains("wrote modules/board/module.kdl"), "{}{}", made.out(), made.err());
    let module = fs::read_to_string(away.path("modules/board/module.kdl")).unwrap();
    away.build(&format!("{NETWORK}use board {{ on \"host:b\" }}\n"));
    let before = tree(&b);
    let plan = away.pxelator(&["rule", "plan"]).ended(1);
    assert_eq!(tree(&b), before, "a plan changes nothing");
    assert!(!plan.out().contains("unknown"), "{}{module}", plan.out());
    let done = run(&["rule", "apply"]);
    assert_eq!(done.code(), 0, "{}{}\n{module}", done.out(), done.err());
    for path in ["/srv/board/index.txt", "/etc/board/conf.d/board.conf", "/etc/board/board.conf"] {
        assert_eq!(fs::read(b.path(path)).unwrap(), fs::read(a.path(path)).unwrap(), "{path}");
    }
    assert!(!b.path("/etc/motd").exists() || !fs::exists("/etc/motd").unwrap());
    assert_eq!(fs::read_link(b.path("/etc/board/board.conf")).unwrap().to_str(), Some("conf.d/board.conf"));
    let owner = ssh("10.80.0.12", "stat -c '%U:%G %a' /srv/board; getent passwd board | cut -d: -f6,7").ended(0).out();
    assert_eq!(owner, "board:board 750\n/srv/board:/usr/sbin/nologin\n");

    // The second run changes nothing.
    let after = tree(&b);
    let again = run(&["rule", "apply"]).ended(0);
    assert!(again.err().contains(" kept\n") && !again.err().contains("applied"), "{}", again.err());
    assert_eq!(tree(&b), after, "{}", again.out());

    // The how-to itself becomes a module too, and A keeps its rules already.
    fs::write(away.path("board.md"), HOWTO).unwrap();
    let imported = away.folder.run(&["rule", "import", "board.md", "--name", "from-howto"]).ended(0);
    assert!(imported.out().contains("wrote modules/from-howto/module.kdl"), "{}", imported.out());
    away.build(&format!("{NETWORK}use from-howto {{ on \"host:a\" }}\n"));
    let text = fs::read_to_string(away.path("modules/from-howto/module.kdl")).unwrap();
    let kept = away.pxelator(&["rule", "plan"]);
    assert!(!kept.out().contains("  drift "), "{}{}\n{text}", kept.out(), kept.err());
}
