//! A client that pairs as libgamestream does, vectors made with another library, and clients that do
//! not keep to the protocol.

use super::*;
use crate::http::{CertificateRequest, ClientSecret, PairRequest};
use crate::{Error, hex};
use aws_lc_rs::cipher::{
    AES_128, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use media::MonoTime;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};
use x509_cert::der::Encode;

const CHOICES: HostChoices = HostChoices {
    secret: [0x5e; 16],
    challenge: [0xc4; 16],
};
const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 20));
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 21));

static HOST: LazyLock<Arc<HostIdentity>> = LazyLock::new(|| {
    let pem =
        HostIdentity::generate(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30)).unwrap();
    Arc::new(HostIdentity::from_pem(&pem).unwrap())
});
/// Clients make themselves certificates of the same kind as hosts do.
static CLIENTS: LazyLock<[Arc<HostIdentity>; 2]> = LazyLock::new(|| {
    [1, 2].map(|day| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(day * 86_400);
        let pem = HostIdentity::generate(now).unwrap();
        Arc::new(HostIdentity::from_pem(&pem).unwrap())
    })
});

fn at(seconds: u64) -> MonoTime {
    MonoTime::from_nanos((3600 + seconds) * 1_000_000_000)
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let all = parts.concat();
    digest(&SHA256, &all).as_ref().try_into().unwrap()
}

/// A client, computing what `gs_pair` computes.
struct Client {
    identity: Arc<HostIdentity>,
    salt: [u8; 16],
    key: [u8; 16],
    challenge: [u8; 16],
    secret: [u8; 16],
}

impl Client {
    fn new(which: usize, pin: &str) -> Self {
        let salt = [which as u8 + 1; 16];
        let hash = sha256(&[&salt, pin.as_bytes()]);
        Self {
            identity: CLIENTS[which].clone(),
            salt,
            key: hash[..16].try_into().unwrap(),
            challenge: [0xaa; 16],
            secret: [0xbb; 16],
        }
    }

    fn crypt(&self, encrypt: bool, data: &[u8]) -> Vec<u8> {
        let mut data = data.to_vec();
        let key = UnboundCipherKey::new(&AES_128, &self.key).unwrap();
        if encrypt {
            EncryptingKey::ecb(key).unwrap().encrypt(&mut data).unwrap();
        } else {
            let key = DecryptingKey::ecb(key).unwrap();
            key.decrypt(&mut data, DecryptionContext::None).unwrap();
        }
        data
    }

    fn first(&self) -> CertificateRequest {
        CertificateRequest {
            salt: self.salt,
            certificate_pem: self.identity.certificate_pem().as_bytes().to_vec(),
            device_name: "roth".to_owned(),
        }
    }

    fn second(&self) -> PairRequest {
        let encrypted = self.crypt(true, &self.challenge);
        PairRequest::Challenge(encrypted.try_into().unwrap())
    }

    /// The host's hash, and the third step.
    fn third(&self, reply: &PairReply) -> ([u8; 32], PairRequest) {
        let PairReply::Challenge(answer) = reply else {
            panic!("{reply:?} is no challenge");
        };
        let plain = self.crypt(false, answer);
        let hash = sha256(&[&plain[32..48], self.identity.signature(), &self.secret]);
        let encrypted = self.crypt(true, &hash);
        let third = PairRequest::Response(encrypted.try_into().unwrap());
        (plain[..32].try_into().unwrap(), third)
    }

    /// Whether the host proved itself, and the fourth step.
    fn fourth(&self, host_hash: [u8; 32], reply: &PairReply) -> (bool, PairRequest) {
        let PairReply::Secret(secret) = reply else {
            panic!("{reply:?} is no secret");
        };
        let (host_secret, signature) = secret.split_at(16);
        let pem = HOST.certificate_pem().as_bytes();
        let certificate = ClientCertificate::from_pem(pem).unwrap();
        assert!(certificate.signed(host_secret, signature), "not the host");
        let knew_pin =
            sha256(&[&self.challenge, certificate.signature(), host_secret]) == host_hash;
        let secret = ClientSecret {
            secret: self.secret,
            signature: self.identity.sign(&self.secret).unwrap(),
        };
        (knew_pin, PairRequest::Secret(secret))
    }
}

fn desk() -> PairingDesk {
    PairingDesk::new(HOST.clone())
}

/// All steps after the PIN.
fn go_on(desk: &mut PairingDesk, client: &Client, address: IpAddr, now: MonoTime) -> Proceeded {
    let second = desk.proceed(&client.second(), address, CHOICES, now);
    let (host_hash, third) = client.third(&second.reply);
    let third = desk.proceed(&third, address, CHOICES, now);
    let (_, fourth) = client.fourth(host_hash, &third.reply);
    desk.proceed(&fourth, address, CHOICES, now)
}

#[test]
fn a_client_that_gives_up_ends_its_own_pairing_and_no_other() {
    let mut desk = desk();
    let client = Client::new(0, "1234");
    let waiting = desk.ask(&client.first(), HOME, at(0)).unwrap();
    let other = desk.ask(&Client::new(1, "1").first(), ELSEWHERE, at(0));
    let other = other.unwrap();
    // Before its PIN there is nothing that could have failed.
    desk.abandon(HOME, at(1));
    assert_eq!(desk.pending().count(), 2);
    desk.enter_pin("4321", Some(waiting), None, at(2)).unwrap();
    let second = desk.proceed(&client.second(), HOME, CHOICES, at(2));
    assert_eq!(second.id, Some(waiting));
    desk.abandon(ELSEWHERE, at(3));
    assert_eq!(desk.next_failure(), None);
    desk.abandon(HOME, at(3));
    assert_eq!(desk.next_failure(), Some((waiting, Failed::GaveUp)));
    assert_eq!(desk.next_failure(), None);
    assert_eq!(desk.pending().next().map(|left| left.id), Some(other));
    let late = desk.proceed(&client.second(), HOME, CHOICES, at(3));
    assert_eq!(late.id, None);
}

#[test]
fn a_client_sees_a_wrong_pin_once_the_secret_is_out_and_says_so_by_giving_up() {
    let mut desk = desk();
    let client = Client::new(0, "1234");
    let id = desk.ask(&client.first(), HOME, at(0)).unwrap();
    desk.enter_pin("4321", None, None, at(1)).unwrap();
    let second = desk.proceed(&client.second(), HOME, CHOICES, at(1));
    let (host_hash, third) = client.third(&second.reply);
    let third = desk.proceed(&third, HOME, CHOICES, at(1));
    let (host_knew_pin, _) = client.fourth(host_hash, &third.reply);
    assert!(!host_knew_pin);
    desk.abandon(HOME, at(2));
    assert_eq!(desk.next_failure(), Some((id, Failed::WrongPin)));
}

#[test]
fn a_client_that_does_not_go_on_after_its_pin_is_out_of_time() {
    let mut desk = desk();
    let id = desk.ask(&Client::new(0, "1").first(), HOME, at(0)).unwrap();
    desk.enter_pin("4321", None, None, at(1)).unwrap();
    let end = desk.deadline().unwrap();
    assert_eq!(end, at(1) + STEPS_LIFETIME);
    desk.tick(at(1));
    assert_eq!(desk.next_failure(), None);
    desk.tick(end);
    assert_eq!(desk.next_failure(), Some((id, Failed::TimedOut)));
}

#[test]
fn a_client_that_knows_the_pin_is_paired() {
    let mut desk = desk();
    let client = Client::new(0, "0420");
    let id = desk.ask(&client.first(), HOME, at(0)).unwrap();
    assert!(desk.next_answer().is_none(), "nobody has typed the PIN");
    let pending = desk.pending().next().unwrap();
    assert_eq!(
        (pending.id, pending.name, pending.address),
        (id, "roth", HOME)
    );
    assert_eq!(
        desk.enter_pin("0420", None, Some("Living room"), at(9))
            .unwrap(),
        id
    );
    let answer = desk.next_answer().unwrap();
    assert_eq!(answer.id, id);
    let pem = HOST.certificate_pem().to_owned();
    assert_eq!(answer.reply, PairReply::Certificate(pem));
    assert!(desk.pending().next().is_none());

    let second = desk.proceed(&client.second(), HOME, CHOICES, at(10));
    let (host_hash, third) = client.third(&second.reply);
    let third = desk.proceed(&third, HOME, CHOICES, at(10));
    let (host_knew_pin, fourth) = client.fourth(host_hash, &third.reply);
    assert!(host_knew_pin);
    let paired = desk.proceed(&fourth, HOME, CHOICES, at(10));
    assert_eq!(paired.reply, PairReply::Paired);
    let paired = paired.paired.unwrap();
    assert_eq!(paired.name, "Living room");
    let pem = client.identity.certificate_pem().as_bytes();
    let der = CertificateDer::from_pem_slice(pem).unwrap();
    assert_eq!(paired.certificate.der(), der.as_ref());
    assert_eq!(paired.certificate.fingerprint(), Fingerprint::of(&der));
    assert_eq!(desk.held().0, 0, "nothing is kept of it");
}

#[test]
fn a_wrong_pin_pairs_nobody_and_ends_the_pairing() {
    let mut desk = desk();
    let client = Client::new(0, "0420");
    desk.ask(&client.first(), HOME, at(0)).unwrap();
    desk.enter_pin("0421", None, None, at(1)).unwrap();
    let last = go_on(&mut desk, &client, HOME, at(1));
    assert_eq!((last.reply, last.paired), (PairReply::NotPaired, None));
    let failure = desk.next_failure().map(|(_, why)| why);
    assert_eq!(failure, Some(Failed::WrongPin));
    let again = desk.proceed(&client.second(), HOME, CHOICES, at(1));
    assert!(matches!(again.reply, PairReply::Failed { .. }));
}

#[test]
fn whoever_shows_another_ones_certificate_is_not_paired() {
    let mut desk = desk();
    let mut thief = Client::new(0, "0420");
    desk.ask(&thief.first(), HOME, at(0)).unwrap();
    desk.enter_pin("0420", None, None, at(1)).unwrap();
    let second = desk.proceed(&thief.second(), HOME, CHOICES, at(1));
    let (host_hash, third) = thief.third(&second.reply);
    let third = desk.proceed(&third, HOME, CHOICES, at(1));
    thief.identity = CLIENTS[1].clone();
    let (_, fourth) = thief.fourth(host_hash, &third.reply);
    let last = desk.proceed(&fourth, HOME, CHOICES, at(1));
    assert_eq!((last.reply, last.paired), (PairReply::NotPaired, None));
}

#[test]
fn each_step_out_of_order_ends_the_pairing() {
    let client = Client::new(0, "0420");
    let steps = [
        client.second(),
        PairRequest::Response([1; 32]),
        PairRequest::Secret(ClientSecret {
            secret: [1; 16],
            signature: vec![1; 256],
        }),
    ];
    for done in 0..3 {
        for (place, step) in steps.iter().enumerate() {
            let mut session = PairingSession::new(&client.first()).unwrap();
            let pin = Pin::parse("0420").unwrap();
            session.enter_pin(pin, &HOST).unwrap();
            let mut take = |step: &PairRequest| match step {
                PairRequest::Challenge(bytes) => session.challenge(*bytes, &HOST, CHOICES),
                PairRequest::Response(bytes) => session.response(*bytes, &HOST),
                PairRequest::Secret(secret) => session.secret(secret),
                _ => unreachable!(),
            };
            for step in &steps[..done] {
                take(step).unwrap();
            }
            let taken = take(step);
            assert_eq!(taken.is_ok(), place == done, "{step:?} after {done}");
            if place != done {
                assert!(matches!(taken, Err(Error::OutOfOrder { .. })));
                assert!(take(&steps[done]).is_err(), "an error ends it");
            }
        }
    }
}

#[test]
fn a_pin_is_four_digits() {
    for text in ["", "123", "12345", "12a4", "١٢٣٤", "-123", "1 34"] {
        assert!(Pin::parse(text).is_err(), "{text}");
    }
    assert!(Pin::parse(" 1234\n").is_ok());
    assert_eq!(format!("{:?}", Pin::parse("1234").unwrap()), "Pin(..)");
}

#[test]
fn a_pin_for_several_must_say_for_whom() {
    let mut desk = desk();
    let (first, second) = (Client::new(0, "1111"), Client::new(1, "2222"));
    assert!(matches!(
        desk.enter_pin("1111", None, None, at(0)),
        Err(Error::NoPairing)
    ));
    let one = desk.ask(&first.first(), HOME, at(0)).unwrap();
    let two = desk.ask(&second.first(), ELSEWHERE, at(0)).unwrap();
    assert!(matches!(
        desk.enter_pin("1111", None, None, at(1)),
        Err(Error::SeveralPairings)
    ));
    assert_eq!(desk.enter_pin("2222", Some(two), None, at(1)).unwrap(), two);
    assert!(matches!(
        desk.enter_pin("2222", Some(two), None, at(1)),
        Err(Error::NoPairing)
    ));
    assert_eq!(desk.enter_pin("1111", None, None, at(1)).unwrap(), one);
    for (client, address) in [(first, HOME), (second, ELSEWHERE)] {
        let last = go_on(&mut desk, &client, address, at(2));
        assert_eq!(last.reply, PairReply::Paired, "each has its own pairing");
    }
}

#[test]
fn two_clients_of_one_address_pair_one_after_the_other() {
    let mut desk = desk();
    let clients = [Client::new(0, "1111"), Client::new(1, "2222")];
    let ids = clients
        .each_ref()
        .map(|client| desk.ask(&client.first(), HOME, at(0)).unwrap());
    desk.enter_pin("1111", Some(ids[0]), None, at(1)).unwrap();
    assert!(matches!(
        desk.enter_pin("2222", Some(ids[1]), None, at(1)),
        Err(Error::PairingBusy)
    ));
    assert_eq!(
        go_on(&mut desk, &clients[0], HOME, at(2)).reply,
        PairReply::Paired
    );
    desk.enter_pin("2222", Some(ids[1]), None, at(3)).unwrap();
    assert_eq!(
        go_on(&mut desk, &clients[1], HOME, at(3)).reply,
        PairReply::Paired
    );
}

#[test]
fn a_request_that_waits_is_answered_when_its_time_is_over() {
    let mut desk = desk();
    let id = desk
        .ask(&Client::new(0, "1111").first(), HOME, at(0))
        .unwrap();
    assert_eq!(desk.deadline(), Some(at(0) + PIN_LIFETIME));
    desk.tick(at(119));
    assert!(desk.next_answer().is_none());
    desk.tick(at(120));
    let answer = desk.next_answer().unwrap();
    assert_eq!(answer.id, id);
    assert!(matches!(answer.reply, PairReply::Failed { .. }));
    assert!(desk.next_answer().is_none() && desk.deadline().is_none());
}

#[test]
fn a_client_that_stops_after_its_pin_is_forgotten() {
    let mut desk = desk();
    let client = Client::new(0, "1111");
    desk.ask(&client.first(), HOME, at(0)).unwrap();
    desk.enter_pin("1111", None, None, at(1)).unwrap();
    let late = desk.proceed(&client.second(), HOME, CHOICES, at(31));
    assert!(matches!(late.reply, PairReply::Failed { .. }));
    assert_eq!(desk.held().0, 0);
}

#[test]
fn a_client_that_asks_again_begins_anew_but_not_from_elsewhere() {
    let mut desk = desk();
    let client = Client::new(0, "1111");
    let old = desk.ask(&client.first(), HOME, at(0)).unwrap();
    assert!(matches!(
        desk.ask(&client.first(), ELSEWHERE, at(1)),
        Err(Error::PairingBusy)
    ));
    let new = desk.ask(&client.first(), HOME, at(2)).unwrap();
    assert_eq!(desk.next_answer().unwrap().id, old);
    assert_eq!(desk.pending().map(|one| one.id).collect::<Vec<_>>(), [new]);
}

#[test]
fn a_withdrawn_pairing_is_answered_and_gone() {
    let mut desk = desk();
    let id = desk
        .ask(&Client::new(0, "1111").first(), HOME, at(0))
        .unwrap();
    desk.withdraw(id);
    assert_eq!(desk.next_answer().unwrap().id, id);
    desk.withdraw(id);
    assert!(desk.next_answer().is_none() && desk.pending().next().is_none());
}

#[test]
fn pins_and_first_steps_cannot_be_tried_without_end() {
    let mut desk = desk();
    let client = Client::new(0, "1111");
    for _ in 0..6 {
        desk.ask(&client.first(), HOME, at(0)).unwrap();
    }
    assert!(matches!(
        desk.ask(&client.first(), HOME, at(0)),
        Err(Error::TooOften { .. })
    ));
    assert!(desk.ask(&client.first(), HOME, at(10)).is_ok());

    for number in 0..5 {
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, number));
        let id = desk.pending().next().unwrap().id;
        desk.withdraw(id);
        let id = desk.ask(&client.first(), address, at(20)).unwrap();
        desk.enter_pin("0000", Some(id), None, at(20)).unwrap();
        desk.withdraw(id);
        desk.ask(&Client::new(1, "2222").first(), address, at(20))
            .unwrap();
    }
    let error = desk.enter_pin("0000", None, None, at(20)).unwrap_err();
    assert!(matches!(error, Error::TooOften { .. }), "{error}");
    assert!(desk.enter_pin("0000", None, None, at(32)).is_ok());
}

/// The certificate with another signature: nobody looks at it before the fourth step.
fn numbered(pem: &[u8], number: u32) -> Vec<u8> {
    let der = CertificateDer::from_pem_slice(pem).unwrap();
    let mut der = der.to_vec();
    let end = der.len();
    der[end - 4..].copy_from_slice(&number.to_be_bytes());
    let text = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n").into_bytes()
}

#[test]
fn a_thousand_half_open_pairings_take_no_more_room_than_a_few() {
    let mut desk = desk();
    let mut request = Client::new(0, "1111").first();
    let genuine = desk
        .ask(&Client::new(1, "2222").first(), HOME, at(0))
        .unwrap();
    let (mut taken, mut answered) = (0, 0);
    for number in 0..1000_u32 {
        request.certificate_pem = numbered(&request.certificate_pem, number);
        let address = IpAddr::V4((0x0a00_0000 + number / 3).into());
        if let Ok(id) = desk.ask(&request, address, at(1)) {
            taken += 1;
            let _ = desk.enter_pin("1111", Some(id), None, at(1));
        }
        while let Some(answer) = desk.next_answer() {
            assert_ne!(answer.id, genuine, "who was there first stays");
            answered += 1;
        }
        let (entries, addresses) = desk.held();
        assert!(entries <= MAX_PAIRINGS && addresses <= 256);
    }
    assert!(taken >= MAX_PAIRINGS - 1 && answered > 0);
    assert!(desk.pending().any(|pending| pending.id == genuine));
}

#[test]
fn one_address_cannot_take_all_places() {
    let mut desk = desk();
    let mut request = Client::new(0, "1111").first();
    let mut first = None;
    for number in 0..8 {
        // An address may ask six times a minute.
        let now = at(u64::from(number) * 10);
        request.certificate_pem = numbered(&request.certificate_pem, number);
        let id = desk.ask(&request, ELSEWHERE, now).unwrap();
        first = first.or(Some(id));
    }
    let genuine = desk.ask(&Client::new(1, "2222").first(), HOME, at(80));
    assert!(genuine.is_ok());
    assert_eq!(desk.next_answer().map(|answer| answer.id), first);
}

#[test]
fn what_is_no_certificate_is_refused() {
    for pem in [
        b"".as_slice(),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"hello",
    ] {
        let mut request = Client::new(0, "1111").first();
        request.certificate_pem = pem.to_vec();
        let error = desk().ask(&request, HOME, at(0)).unwrap_err();
        assert!(matches!(error, Error::Certificate { .. }), "{error}");
    }
}

#[test]
fn an_identity_is_read_again_and_keys_of_others_are_refused() {
    let make = || HostIdentity::generate(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 30));
    let (one, two) = (make().unwrap(), make().unwrap());
    assert_eq!(format!("{one:?}"), "IdentityPem(..)");
    assert!(HostIdentity::from_pem(&one).is_ok());
    let mixed = IdentityPem {
        certificate: one.certificate.clone(),
        key: two.key,
    };
    let error = HostIdentity::from_pem(&mixed).unwrap_err();
    assert!(error.to_string().contains("another's"), "{error}");
    let certificate = CertificateDer::from_pem_slice(one.certificate.as_bytes()).unwrap();
    let parsed = super::peer::parse(&certificate).unwrap();
    let validity = parsed.tbs_certificate().validity();
    let days = validity.not_after.to_unix_duration() - validity.not_before.to_unix_duration();
    assert_eq!(days.as_secs() / 86_400, 20 * 365);
}

#[test]
fn the_certificate_a_host_makes_is_signed_by_itself() {
    let client = ClientCertificate::from_pem(HOST.certificate_pem().as_bytes()).unwrap();
    let parsed = CertificateDer::from_pem_slice(HOST.certificate_pem().as_bytes()).unwrap();
    let parsed = super::peer::parse(&parsed).unwrap();
    let signed = parsed.tbs_certificate().to_der().unwrap();
    assert!(client.signed(&signed, client.signature()));
    assert_eq!(client.signature().len(), 256);
}

/// `tests/data/pairing.txt` holds one pairing as another library computes both its ends.
#[test]
fn a_pairing_that_another_library_computed_is_the_same() {
    let vectors = include_str!("../../tests/data/pairing.txt");
    let field = |name: &str| {
        let lines = vectors.lines().filter_map(|line| line.split_once('='));
        let mut lines = lines.filter(|(known, _)| *known == name);
        hex::decode(lines.next().unwrap().1).unwrap()
    };
    let pem = include_str!("../../tests/data/host-for-tests.pem");
    let key = pem.find("-----BEGIN PRIVATE KEY").unwrap();
    let host = IdentityPem {
        certificate: pem[..key].to_owned(),
        key: pem[key..].to_owned(),
    };
    let host = HostIdentity::from_pem(&host).unwrap();
    let mut session = PairingSession::new(&CertificateRequest {
        salt: field("salt").try_into().unwrap(),
        certificate_pem: include_bytes!("../../tests/data/client-for-tests.pem").to_vec(),
        device_name: String::new(),
    })
    .unwrap();
    let pin = String::from_utf8(field("pin")).unwrap();
    session.enter_pin(Pin::parse(&pin).unwrap(), &host).unwrap();
    let choices = HostChoices {
        secret: field("host_secret").try_into().unwrap(),
        challenge: field("host_challenge").try_into().unwrap(),
    };
    let challenge = field("clientchallenge").try_into().unwrap();
    let reply = session.challenge(challenge, &host, choices).unwrap();
    let answer = field("challengeresponse").try_into().unwrap();
    assert_eq!(reply, PairReply::Challenge(answer));
    let response = field("serverchallengeresp").try_into().unwrap();
    let reply = session.response(response, &host).unwrap();
    assert_eq!(reply, PairReply::Secret(field("pairingsecret")));
    let secret = field("clientpairingsecret");
    let secret = ClientSecret {
        secret: secret[..16].try_into().unwrap(),
        signature: secret[16..].to_vec(),
    };
    assert_eq!(session.secret(&secret).unwrap(), PairReply::Paired);
}

#[test]
fn replies_hold_the_elements_that_clients_look_for() {
    let has = |reply: PairReply, parts: &[&str]| {
        let xml = reply.to_xml();
        for part in parts {
            assert!(xml.contains(part), "{part} in {xml}");
        }
    };
    has(
        PairReply::Certificate("-A".to_owned()),
        &[
            "<paired>1</paired>",
            "<plaincert>2D41</plaincert>",
            "\"200\"",
        ],
    );
    has(
        PairReply::Challenge([0xfe; 48]),
        &["<paired>1<", "<challengeresponse>FEFE"],
    );
    has(
        PairReply::Secret(vec![1, 2]),
        &["<paired>1<", "<pairingsecret>0102<"],
    );
    has(PairReply::Paired, &["<paired>1<", "\"200\""]);
    has(PairReply::NotPaired, &["<paired>0<", "\"200\""]);
    let failed = PairReply::Failed { message: "Why" };
    has(failed, &["<paired>0<", "\"400\"", "status_message=\"Why\""]);
}
