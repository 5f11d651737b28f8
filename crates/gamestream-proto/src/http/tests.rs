//! What clients send, and what they read out of the answers.

use super::*;
use crate::Error;
use crate::constants::Ports;
use media::Size;
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// As libgamestream's `gs_start_app` writes it.
const LAUNCH: &str = "/launch?uniqueid=0123456789ABCDEF&uuid=9f9f&appid=7&mode=1920x1080x60\
    &additionalStates=1&sops=1&rikey=000102030405060708090a0b0c0d0e0f&rikeyid=-559038737\
    &localAudioPlayMode=0&surroundAudioInfo=196610&remoteControllersBitmap=1&gcmap=3\
    &hdrMode=1&clientHdrCapVersion=0&clientHdrCapSupportedFlagsInUint32=0\
    &clientHdrCapMetaDataId=NV_STATIC_METADATA_TYPE_1\
    &clientHdrCapDisplayData=0x0x0x0x0x0x0x0x0x0x0&corever=1";

fn launch(target: &str) -> Result<LaunchRequest, Error> {
    match Request::parse(target)? {
        Request::Launch(launch) => Ok(launch),
        other => panic!("{other:?} is no launch"),
    }
}

#[test]
fn a_launch_of_the_official_client_is_understood() {
    let request = launch(LAUNCH).unwrap();
    assert_eq!(request.app_id, 7);
    assert_eq!(request.mode.size, Size::new(1920, 1080));
    assert_eq!(request.mode.rate.fps(), 60);
    let session = &request.session;
    assert_eq!(session.key.bytes()[15], 15);
    assert_eq!(session.key_id.cast_unsigned(), 0xdead_beef);
    assert_eq!(session.surround, SurroundAudio::STEREO);
    assert_eq!(session.play_on_host, Some(false));
    assert!(session.hdr && session.optimise_settings && session.encrypts_rtsp());
    assert_eq!(
        (session.controllers.remote_bitmap, session.controllers.map),
        (1, 3)
    );
    assert!(!format!("{request:?}").contains("0c0d0e0f"), "a key shows");
}

#[test]
fn what_other_clients_add_is_tolerated() {
    let target =
        format!("{LAUNCH}&surroundParams=642014235&continuousAudio=1&virtualDisplay=1&x=y");
    assert_eq!(launch(&target).unwrap(), launch(LAUNCH).unwrap());
    let unsigned = LAUNCH.replace("rikeyid=-559038737", "rikeyid=3735928559");
    assert_eq!(launch(&unsigned).unwrap().session.key_id, -559_038_737);
    let old = LAUNCH.replace("&corever=1", "");
    assert!(!launch(&old).unwrap().session.encrypts_rtsp());
}

#[test]
fn each_field_that_must_be_there_is_named_when_it_is_not() {
    for field in ["appid", "mode", "rikey", "rikeyid", "localAudioPlayMode"] {
        let without = LAUNCH.replace(&format!("&{field}="), "&other=");
        let error = launch(&without).unwrap_err();
        assert!(
            matches!(&error, Error::Missing { field: named } if *named == field),
            "{field}: {error}"
        );
    }
}

#[test]
fn each_field_out_of_range_is_named_with_its_range() {
    for (good, bad, says) in [
        ("appid=7", "appid=-1", "appid must be 0 to 2147483647"),
        ("1920x1080x60", "1920x1080", "WIDTHxHEIGHTxFPS"),
        ("1920x1080x60", "1920x1080x60x1", "WIDTHxHEIGHTxFPS"),
        ("1920x1080x60", "1921x1080x60", "even"),
        ("1920x1080x60", "1920x99999x60", "2 to 8192"),
        ("1920x1080x60", "1920x1080x0", "1 to 240"),
        ("rikey=00", "rikey=", "32 hexadecimal digits"),
        ("rikeyid=-559038737", "rikeyid=4294967296", "32 bits"),
        ("196610", "196609", "2, 6 or 8 channels"),
        ("gcmap=3", "gcmap=many", "32 bits"),
        ("sops=1", "sops=yes", "0 or 1"),
    ] {
        let error = launch(&LAUNCH.replace(good, bad)).unwrap_err();
        assert!(error.to_string().contains(says), "{bad}: {error}");
    }
}

#[test]
fn a_resume_needs_only_its_key() {
    let target = "/resume?rikey=000102030405060708090a0b0c0d0e0f&rikeyid=1";
    let Request::Resume(request) = Request::parse(target).unwrap() else {
        panic!("no resume");
    };
    assert_eq!((request.app_id, request.mode), (None, None));
    assert_eq!(request.session.play_on_host, None);
}

#[test]
fn steps_of_pairing_are_told_apart() {
    let step = |fields: &str| match Request::parse(&format!("/pair?uniqueid=0&{fields}")) {
        Ok(Request::Pair(step)) => Ok(step),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    let salt = "00".repeat(16);
    let first = format!("devicename=a%00%0Ab&phrase=getservercert&salt={salt}&clientcert=2d2d");
    let PairRequest::Certificate(first) = step(&first).unwrap() else {
        panic!("not the first step");
    };
    assert_eq!(first.certificate_pem, b"--");
    assert_eq!(first.device_name, "ab", "control characters are left out");
    assert!(matches!(
        step(&format!("clientchallenge={salt}")),
        Ok(PairRequest::Challenge([0, ..]))
    ));
    assert!(matches!(
        step(&format!("serverchallengeresp={salt}{salt}")),
        Ok(PairRequest::Response([0, ..]))
    ));
    let secret = "01".repeat(16 + 256);
    let PairRequest::Secret(secret) = step(&format!("clientpairingsecret={secret}")).unwrap()
    else {
        panic!("not the fourth step");
    };
    assert_eq!((secret.secret[0], secret.signature.len()), (1, 256));
    assert_eq!(step("phrase=pairchallenge").unwrap(), PairRequest::Confirm);
    for bad in [
        "phrase=other",
        "clientchallenge=00",
        "serverchallengeresp=zz",
        "clientpairingsecret=00",
        "phrase=getservercert&salt=00&clientcert=00",
        "phrase=getservercert&clientcert=00",
        "nothing=1",
    ] {
        assert!(step(bad).is_err(), "{bad}");
    }
}

#[test]
fn only_discovery_and_pairing_are_for_anybody() {
    for (target, anybody) in [
        ("/serverinfo?uniqueid=1", true),
        (
            "/pair?clientchallenge=00000000000000000000000000000000",
            true,
        ),
        ("/pair?phrase=pairchallenge", false),
        ("/applist", false),
        ("/appasset?appid=1&AssetType=2&AssetIdx=0", false),
        (LAUNCH, false),
        ("/cancel", false),
        ("/unpair", false),
    ] {
        assert_eq!(
            Request::parse(target).unwrap().is_for_anybody(),
            anybody,
            "{target}"
        );
    }
    assert!(matches!(
        Request::parse("/pin?pin=1234"),
        Err(Error::NoSuchPath)
    ));
}

fn facts() -> ServerInfo<'static> {
    ServerInfo {
        asked: Asked::ByPairedClient,
        hostname: "desk & lamp",
        unique_id: "8d3c",
        ports: Ports::default(),
        codecs: CodecSupport::from_iter([CodecMode::H264, CodecMode::Hevc]),
        mac: Some([2, 0, 0, 0xa, 0xb, 0xc]),
        local_address: IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9)),
        external_ip: None,
        running_app: None,
        display_modes: &[],
        gpu: None,
    }
}

fn has(xml: &str, element: &str, value: &str) -> bool {
    xml.contains(&format!("<{element}>{value}</{element}>"))
}

#[test]
fn a_paired_client_learns_everything() {
    let xml = facts().to_xml();
    assert!(xml.starts_with("<?xml "), "{xml}");
    for (element, value) in [
        ("hostname", "desk &amp; lamp"),
        ("appversion", "7.1.431.-1"),
        ("PairStatus", "1"),
        ("currentgame", "0"),
        ("state", "SUNSHINE_SERVER_FREE"),
        ("mac", "02:00:00:0a:0b:0c"),
        ("LocalIP", "192.168.1.9"),
        ("HttpsPort", "47984"),
        ("ExternalPort", "47989"),
        ("ServerCodecModeSupport", "257"),
        ("MaxLumaPixelsHEVC", "1869449984"),
        ("uniqueid", "8d3c"),
    ] {
        assert!(has(&xml, element, value), "{element} in {xml}");
    }
    assert!(xml.contains("<root status_code=\"200\">"));
}

#[test]
fn others_are_told_neither_that_they_are_paired_nor_the_network_card() {
    let mut facts = facts();
    facts.asked = Asked::ByAnybody;
    let xml = facts.to_xml();
    assert!(has(&xml, "PairStatus", "0") && has(&xml, "mac", "00:00:00:00:00:00"));
}

#[test]
fn a_running_application_makes_the_host_busy() {
    let mut facts = facts();
    facts.running_app = Some(42);
    let xml = facts.to_xml();
    assert!(has(&xml, "currentgame", "42") && has(&xml, "state", "SUNSHINE_SERVER_BUSY"));
    assert!(!xml.contains("MJOLNIR"));
}

#[test]
fn an_address_in_ipv6_never_stands_where_clients_keep_ipv4() {
    let mut facts = facts();
    facts.local_address = IpAddr::V6(Ipv6Addr::LOCALHOST);
    assert!(has(&facts.to_xml(), "LocalIP", "127.0.0.1"));
    facts.local_address = IpAddr::V6(Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped());
    assert!(has(&facts.to_xml(), "LocalIP", "10.0.0.1"));
}

#[test]
fn modes_and_optional_facts_are_listed() {
    let mode = DisplayMode::new(Size::new(1280, 720), 120).unwrap();
    let mut facts = facts();
    let modes = [mode];
    facts.display_modes = &modes;
    facts.gpu = Some("<none>");
    facts.external_ip = Some("203.0.113.1");
    facts.codecs = CodecSupport::default().with(CodecMode::H264);
    let xml = facts.to_xml();
    let listed = "<SupportedDisplayMode><DisplayMode><Width>1280</Width><Height>720</Height>\
        <RefreshRate>120</RefreshRate></DisplayMode></SupportedDisplayMode>";
    assert!(xml.contains(listed), "{xml}");
    assert!(has(&xml, "gputype", "&lt;none&gt;") && has(&xml, "ExternalIP", "203.0.113.1"));
    assert!(has(&xml, "MaxLumaPixelsHEVC", "0"));
}

#[test]
fn applications_are_listed() {
    let apps = [
        App {
            id: 1,
            title: "Desktop",
            hdr: false,
        },
        App {
            id: 2,
            title: "A&B",
            hdr: true,
        },
    ];
    let xml = app_list(&apps);
    assert_eq!(xml.matches("<App>").count(), 2);
    assert!(
        xml.contains("<IsHdrSupported>1</IsHdrSupported><AppTitle>A&amp;B</AppTitle><ID>2</ID>")
    );
}

#[test]
fn answers_hold_the_elements_that_clients_look_for() {
    let v4 = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 9));
    let url = session_url(true, v4, 48010);
    assert_eq!(url, "rtspenc://192.168.1.9:48010");
    assert_eq!(
        session_url(false, IpAddr::V6(Ipv6Addr::LOCALHOST), 48010),
        "rtsp://[::1]:48010"
    );
    assert!(has(&launched(&url), "gamesession", "1") && has(&launched(&url), "sessionUrl0", &url));
    assert!(has(&resumed(&url), "resume", "1") && has(&cancelled(), "cancel", "1"));
    let failure = Failure {
        code: 400,
        message: "An application is already running",
    };
    for (what, element) in [
        (Refused::Launch, "gamesession"),
        (Refused::Resume, "resume"),
        (Refused::Cancel, "cancel"),
    ] {
        let xml = refused(what, failure);
        assert!(has(&xml, element, "0") && xml.contains("status_code=\"400\""));
        assert!(xml.contains("status_message=\"An application is already running\""));
    }
    assert!(unauthorized().contains("status_code=\"401\""));
    assert!(not_found().contains("status_code=\"404\""));
}

proptest! {
    #[test]
    fn any_target_is_understood_or_refused(
        path in "/(launch|resume|pair|appasset|applist|cancel)",
        fields in proptest::collection::vec(("[a-zA-Z]{1,12}|rikey|rikeyid|mode|appid|phrase|salt", ".{0,40}"), 0..12),
    ) {
        let query: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = Request::parse(&format!("{path}?{}", query.join("&")));
    }
}
