//! Generations switch under load: no question and no client is lost, and no answer mixes two of them.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use dhcproto::v4::{DhcpOption, Message, MessageType, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};

use socket2::SockRef;

use super::{Boot, site};
use crate::harness::Server;

const SWITCHES: u32 = 50;
const QUESTIONS_A_SECOND: u32 = 1000;
const CLIENTS_A_SECOND: u32 = 200;
/// MACs: fewer than the pool has addresses.
const CLIENTS: u32 = 700;
/// How long the last answers may take.
const GRACE: Duration = Duration::from_secs(30);

/// What the load threads know of the deploys.
#[derive(Default)]
struct Stage {
    /// The last generation that was surely served, and the newest that may be.
    surely: AtomicU32,
    perhaps: AtomicU32,
    over: AtomicBool,
}

impl Stage {
    fn surely(&self) -> u32 {
        self.surely.load(Ordering::SeqCst)
    }

    fn perhaps(&self) -> u32 {
        self.perhaps.load(Ordering::SeqCst)
    }
}

/// What is waited for: a number → when it began with which generation.
type Waiting = Arc<Mutex<BTreeMap<u32, u32>>>;

/// Calls so many times a second until it is over; gives how often it did.
fn paced(a_second: u32, stage: &Stage, mut call: impl FnMut(u32)) -> u32 {
    let start = Instant::now();
    let mut count = 0;
    while !stage.over.load(Ordering::SeqCst) {
        let due = start + Duration::from_secs(1) * count / a_second;
        sleep(due.saturating_duration_since(Instant::now()));
        call(count);
        count += 1;
    }
    count
}

fn socket(port: &str) -> Arc<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // A test that is held up must not lose what the server did not.
    let _as_much_as_granted = SockRef::from(&socket).set_recv_buffer_size(4 << 20);
    socket.connect(format!("127.0.0.1:{port}")).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    Arc::new(socket)
}

/// Reads until all is asked and nothing is waited for, or the grace ends.
fn answers(socket: &UdpSocket, is_all_asked: &AtomicBool, waiting: &Waiting, mut each: impl FnMut(&[u8])) {
    let mut end = None;
    let mut buffer = [0; 1500];
    loop {
        if let Ok(len) = socket.recv(&mut buffer) {
            each(&buffer[..len]);
        }
        if is_all_asked.load(Ordering::SeqCst) {
            let end = *end.get_or_insert_with(|| Instant::now() + GRACE);
            if waiting.lock().unwrap().is_empty() || Instant::now() > end {
                return;
            }
        }
    }
}

/// Asks for the host's address; gives how many questions there were, and how many without answer.
fn questions(port: &str, stage: Arc<Stage>) -> (u32, usize) {
    let (socket, waiting, is_all_asked) = (socket(port), Waiting::default(), Arc::new(AtomicBool::new(false)));
    let reader = {
        let (socket, stage, waiting, is_all_asked) = (socket.clone(), stage.clone(), waiting.clone(), is_all_asked.clone());
        spawn(move || {
            answers(&socket, &is_all_asked, &waiting, |packet| {
                let id = u32::from(u16::from_be_bytes([packet[0], packet[1]]));
                let Some(asked) = waiting.lock().unwrap().remove(&id) else { return };
                assert_eq!(packet[3] & 15, 0, "an error instead of an answer");
                // The one record is the last 4 bytes before EDNS, which we did not ask for.
                let number = u32::from(packet[packet.len() - 1]) - 10;
                assert!((asked..=stage.perhaps()).contains(&number), "{number} is not between {asked} and {}", stage.perhaps());
            });
        })
    };
    let count = paced(QUESTIONS_A_SECOND, &stage, |count| {
        let id = (count as u16).to_be_bytes();
        let mut packet = [&id[..], &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
        packet.extend(b"\x02pc\x03lab\x07example\0\0\x01\0\x01");
        let twice = waiting.lock().unwrap().insert(count & 0xffff, stage.surely());
        assert_eq!(twice, None, "unanswered since 65,536 questions");
        socket.send(&packet).unwrap();
    });
    is_all_asked.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    let lost = waiting.lock().unwrap().len();
    (count, lost)
}

fn packet(client: u32, kind: MessageType, wish: Option<std::net::Ipv4Addr>) -> Vec<u8> {
    let [_, _, high, low] = (client % CLIENTS).to_be_bytes();
    let unset = std::net::Ipv4Addr::UNSPECIFIED;
    let mut message = Message::new_with_id(client, unset, unset, unset, unset, &[0x52, 0x54, 0, 0x81, high, low]);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    if let Some(wish) = wish {
        message.opts_mut().insert(DhcpOption::RequestedIpAddress(wish));
        message.opts_mut().insert(DhcpOption::ServerIdentifier([10, 80, 0, 2].into()));
    }
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).unwrap();
    bytes
}

/// DISCOVER, OFFER, REQUEST, ACK; gives how many began, and how many did not end.
fn clients(port: &str, stage: Arc<Stage>) -> (u32, usize) {
    let (socket, waiting, is_all_asked) = (socket(port), Waiting::default(), Arc::new(AtomicBool::new(false)));
    let reader = {
        let (socket, stage, waiting, is_all_asked) = (socket.clone(), stage.clone(), waiting.clone(), is_all_asked.clone());
        spawn(move || {
            answers(&socket, &is_all_asked, &waiting, |packet_bytes| {
                let message = Message::decode(&mut Decoder::new(packet_bytes)).unwrap();
                let Some(DhcpOption::AddressLeaseTime(secs)) = message.opts().get(OptionCode::AddressLeaseTime) else {
                    panic!("no lease in {message:?}");
                };
                let (number, client) = (secs - 3600, message.xid());
                let asked = waiting.lock().unwrap().get(&client).copied();
                assert!(asked.is_some_and(|asked| (asked..=stage.perhaps()).contains(&number)), "{number} and {asked:?}");
                match message.opts().msg_type() {
                    Some(MessageType::Offer) => {
                        waiting.lock().unwrap().insert(client, stage.surely());
                        assert!(socket.send(&packet(client, MessageType::Request, Some(message.yiaddr()))).is_ok());
                    }
                    Some(MessageType::Ack) => drop(waiting.lock().unwrap().remove(&client)),
                    other => panic!("{other:?}"),
                }
            });
        })
    };
    let count = paced(CLIENTS_A_SECOND, &stage, |client| {
        waiting.lock().unwrap().insert(client, stage.surely());
        socket.send(&packet(client, MessageType::Discover, None)).unwrap();
    });
    is_all_asked.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    let lost = waiting.lock().unwrap().len();
    (count, lost)
}

#[test]
fn nothing_is_lost_while_generations_switch_under_load() {
    let boot = Boot::new();
    for number in 0..=SWITCHES {
        std::fs::write(boot.folder.0.join("site.kdl"), site(number)).unwrap();
        boot.run(&["build", "--out", &format!("out-{number}")]).ended(0);
    }
    let deploy = |number: u32| boot.deploy(&["--out", &format!("out-{number}"), "--patience", "60s"]).ended(0);
    deploy(0);
    let server = boot.serve();
    let stage = Arc::new(Stage::default());
    let (asking, booting) = {
        let (for_dns, for_dhcp) = ((server.port(53), stage.clone()), (server.port(67), stage.clone()));
        (spawn(move || questions(&for_dns.0, for_dns.1)), spawn(move || clients(&for_dhcp.0, for_dhcp.1)))
    };
    for number in 1..=SWITCHES {
        stage.perhaps.store(number, Ordering::SeqCst);
        let run = deploy(number);
        assert!(run.err().contains(", healthy"), "{}", run.err());
        stage.surely.store(number, Ordering::SeqCst);
    }
    stage.over.store(true, Ordering::SeqCst);
    let ((asked, unanswered), (began, unfinished)) = (asking.join().unwrap(), booting.join().unwrap());
    println!("{SWITCHES} switches: {asked} questions, {unanswered} lost; {began} clients, {unfinished} lost");
    assert_eq!((unanswered, unfinished), (0, 0), "of {asked} questions and {began} clients; {}", drops(&server));
    // The load was the promised one: whoever sends late sends less.
    assert!(asked > 1000 && began > 200, "{asked} questions, {began} clients");
}

/// What the kernel dropped at each socket, and what the server complained of.
fn drops(server: &Server) -> String {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let full = table.lines().filter(|line| !matches!(line.split_whitespace().last(), Some("0" | "drops")));
    let errors = server.logged().into_iter().filter(|line| line.contains(" ERROR ") || line.contains(" WARN "));
    full.map(str::to_owned).chain(errors).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_classroom_that_asks_at_once_is_answered_whole() {
    let boot = Boot::new();
    boot.build(1);
    let server = Server::start(&boot.folder, &[]);
    let socket = socket(&server.port(67));
    socket.set_read_timeout(Some(GRACE)).unwrap();
    // More than one batch waits when the server wakes up.
    server.signal("-STOP");
    (0..200).for_each(|client| drop(socket.send(&packet(client, MessageType::Discover, None))));
    server.signal("-CONT");
    let mut buffer = [0; 1500];
    let answered = (0..200).take_while(|_| socket.recv(&mut buffer).is_ok()).count();
    assert_eq!(answered, 200);
}
