//! Logins, cookies, links, the players' token, and what is open without any of them.

use crate::client::Ws;
use crate::host::{Host, PATIENCE};

const HTML: (&str, &str) = ("Accept", "text/html,application/xhtml+xml");

#[test]
fn a_link_logs_in_once_and_the_next_one_is_handed_out() {
    let host = Host::start();
    let link = host.link();
    let reply = host.get(&link, &[]);
    assert_eq!(reply.status, 200);
    let set_cookie = reply.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=2592000"] {
        assert!(set_cookie.contains(attribute), "{set_cookie}");
    }
    assert!(
        !set_cookie.contains("Secure"),
        "there is no TLS on loopback"
    );
    assert!(
        reply.body.contains("http-equiv=\"refresh\""),
        "the page goes on by itself"
    );
    let cookie = reply.cookie().unwrap();
    assert_eq!(host.get("/", &[("Cookie", &cookie)]).status, 200);
    let session = host.get("/api/session", &[("Cookie", &cookie)]);
    assert_eq!(session.status, 200);
    assert_eq!(session.body, r#"{"name":"Administrator","role":"admin"}"#);

    assert_eq!(host.get(&link, &[]).status, 401, "a link works once");
    let next = host.link();
    assert_ne!(next, link);
    assert_eq!(host.get(&next, &[]).status, 200);
}

#[test]
fn a_wrong_link_gets_a_page_that_says_what_to_do() {
    let host = Host::start();
    for path in [
        "/login?token=wrong",
        "/login",
        "/login?token=",
        "/",
        "/login?other=1",
    ] {
        let reply = host.get(path, &[HTML]);
        assert_eq!(reply.status, 401, "{path}");
        assert!(reply.body.contains("newest"), "{path}: {}", reply.body);
        assert!(
            reply.body.contains("width=device-width"),
            "readable on a phone"
        );
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("style-src 'sha256-"));
        assert!(
            !reply.body.contains("wrong</"),
            "nothing of the request is repeated"
        );
    }
    let plain = host.get("/api/session", &[]);
    assert_eq!(plain.status, 401);
    assert!(plain.body.contains("not logged in") && !plain.body.contains('<'));
    assert!(plain.header("www-authenticate").is_some());
}

#[test]
fn whoever_is_logged_in_goes_on_and_leaves_the_link_unused() {
    let host = Host::start();
    let cookie = host.log_in();
    let link = host.link();
    let reply = host.get(&link, &[("Cookie", &cookie)]);
    assert_eq!((reply.status, reply.header("location")), (303, Some("/")));
    assert_eq!(host.get(&link, &[]).status, 200, "the link is still good");
}

#[test]
fn a_link_preview_does_not_use_the_link_up() {
    let host = Host::start();
    let link = host.link();
    let preview = host.request("HEAD", &link, &[], b"");
    assert_eq!((preview.status, preview.header("set-cookie")), (204, None));
    assert_eq!(host.get(&link, &[]).status, 200);
}

#[test]
fn guessing_is_slowed_down() {
    let host = Host::start();
    for _ in 0..10 {
        assert_eq!(host.get("/login?token=guess", &[]).status, 401);
    }
    let reply = host.get("/login?token=guess", &[HTML]);
    assert_eq!(reply.status, 429);
    let wait_s: u32 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=6).contains(&wait_s), "{wait_s}");
    assert!(reply.body.contains("Wait"));
    let player = host.get("/whep", &[("Authorization", "Bearer guess")]);
    assert_eq!(
        player.status, 429,
        "the players' token cannot be guessed instead"
    );
}

#[test]
fn every_route_needs_a_login_unless_it_is_declared_public() {
    let host = Host::start();
    let table: Vec<_> = control::routes().collect();
    let public: Vec<_> = table.iter().filter(|route| route.needs.is_none()).collect();
    let public: Vec<_> = public
        .iter()
        .map(|r| format!("{} {}", r.method, r.path))
        .collect();
    assert_eq!(public, ["GET /healthz", "GET /login", "OPTIONS /whep"]);

    let mut paths: Vec<String> = table.iter().map(|r| fill_in(r.path)).collect();
    paths.extend(
        [
            "/nothing",
            "/api",
            "/api/other",
            "/whep/a/b",
            "/../etc/passwd",
            "/%2e%2e/x",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            let declared = |r: &control::RouteInfo| {
                fill_in(r.path) == path
                    && (r.method == method || (r.method == "GET" && method == "HEAD"))
            };
            let is_public = table.iter().any(|r| declared(r) && r.needs.is_none());
            let status = host.request(method, &path, &[], b"").status;
            if !is_public {
                assert_eq!(status, 401, "{method} {path}");
            } else if path != "/login" {
                assert!(status < 300, "{method} {path}: {status}");
            }
        }
    }
}

#[test]
fn every_declared_route_is_served() {
    let host = Host::start();
    let cookie = host.log_in();
    for route in control::routes() {
        let path = fill_in(route.path);
        let reply = host.request(route.method.as_str(), &path, &[("Cookie", &cookie)], b"");
        assert_ne!(reply.status, 405, "{} {path}", route.method);
        assert_ne!(reply.status, 401, "{} {path}", route.method);
        assert_ne!(reply.status, 403, "{} {path}", route.method);
    }
}

fn fill_in(path: &str) -> String {
    path.replace("{id}", "some-id")
        .replace("{*path}", "some/file")
}

#[test]
fn every_answer_carries_the_security_headers() {
    let host = Host::start();
    let cookie = host.log_in();
    let cookie = ("Cookie", cookie.as_str());
    for reply in [
        host.get("/", &[cookie]),
        host.get("/", &[HTML]),
        host.get("/nothing", &[cookie]),
        host.get("/login", &[]),
        host.get("/healthz", &[]),
        host.get("/whep", &[cookie]),
        host.get("/", &[("Host", "a b")]),
    ] {
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-embedder-policy", "require-corp"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{}", reply.status);
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
}

#[test]
fn the_players_token_opens_whep_and_nothing_else() {
    let host = Host::start();
    let bearer = format!("Bearer {}", host.handle.player_token());
    let bearer = ("Authorization", bearer.as_str());
    let offer = [bearer, ("Content-Type", "application/sdp")];
    assert_eq!(host.request("POST", "/whep", &offer, b"v=0").status, 201);
    for path in ["/", "/api/ws", "/api/session"] {
        assert_eq!(host.get(path, &[bearer]).status, 403, "{path}");
    }
    let wrong = [
        ("Authorization", "Bearer wrong"),
        ("Content-Type", "application/sdp"),
    ];
    assert_eq!(host.request("POST", "/whep", &wrong, b"v=0").status, 401);
}

#[test]
fn another_sites_page_cannot_use_the_login() {
    let host = Host::start();
    let cookie = host.log_in();
    let post = |origin: &str| {
        let headers = [
            ("Cookie", &*cookie),
            ("Content-Type", "application/sdp"),
            ("Origin", origin),
        ];
        host.request("POST", "/whep", &headers, b"v=0").status
    };
    assert_eq!(post("http://evil.example"), 403);
    assert_eq!(post("null"), 403);
    assert_eq!(post(&host.origin()), 201);
    let ws = |headers: &[(&str, &str)]| Ws::open(host.address(), headers).err();
    assert_eq!(
        ws(&[("Cookie", &cookie), ("Origin", "http://evil.example")]),
        Some(403)
    );
    assert_eq!(
        ws(&[("Cookie", &cookie)]),
        Some(403),
        "a browser always sends an Origin"
    );
    assert_eq!(ws(&[("Origin", &host.origin())]), Some(401));
    assert_eq!(
        ws(&[("Cookie", "heliostat-1=x"), ("Origin", &host.origin())]),
        Some(401)
    );
    assert_eq!(ws(&[("Cookie", &cookie), ("Origin", &host.origin())]), None);
}

#[test]
fn open_access_answers_only_to_its_own_names() {
    let host = Host::with(|config| {
        config.access = control::AccessMode::Open;
        config.names = vec!["workstation".to_owned()];
    });
    let port = host.address().port();
    let status = |name: &str| host.get("/", &[("Host", &format!("{name}:{port}"))]).status;
    for own in ["localhost", "127.0.0.1", "[::1]", "Workstation"] {
        assert_eq!(status(own), 200, "{own}");
    }
    for foreign in ["evil.example", "localhost.evil.example"] {
        assert_eq!(status(foreign), 403, "{foreign}");
    }
    assert_eq!(status("a b"), 400);
    let rebound = [("Host", "evil.example"), ("Origin", "http://evil.example")];
    assert_eq!(Ws::open(host.address(), &rebound[1..]).err(), Some(403));
    assert_eq!(host.request("POST", "/whep", &rebound, b"v=0").status, 403);
    assert!(host.links.try_recv().is_err(), "there is no link to print");
}

#[test]
fn with_a_login_any_name_of_the_host_works() {
    let host = Host::start();
    let cookie = host.log_in();
    let named = [
        ("Host", "nas.home.example:8080"),
        ("Cookie", cookie.as_str()),
    ];
    assert_eq!(host.get("/", &named).status, 200);
}

#[test]
fn two_hosts_on_one_machine_do_not_log_each_other_out() {
    let (one, other) = (Host::start(), Host::start());
    let both = format!("{}; {}", one.log_in(), other.log_in());
    assert_eq!(one.get("/", &[("Cookie", &both)]).status, 200);
    assert_eq!(other.get("/", &[("Cookie", &both)]).status, 200);
}

#[test]
fn the_page_and_its_files_are_served_and_cached_well() {
    let host = Host::open();
    let page = host.get("/", &[]);
    assert_eq!(page.header("content-type"), Some("text/html"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let etag = page.header("etag").unwrap();
    let again = host.get("/", &[("If-None-Match", etag)]);
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(host.get("/", &[("If-None-Match", "\"other\"")]).status, 200);

    let assets: Vec<_> = page
        .body
        .split('"')
        .filter(|part| part.contains("assets/"))
        .collect();
    for asset in assets {
        let reply = host.get(&format!("/{}", asset.trim_start_matches(['.', '/'])), &[]);
        assert_eq!(reply.status, 200, "{asset}");
        assert!(reply.header("cache-control").unwrap().contains("immutable"));
    }
    for missing in [
        "/nothing",
        "/assets/nothing.js",
        "/assets/../index.html",
        "/..%2f..%2fCargo.toml",
    ] {
        assert_eq!(host.get(missing, &[]).status, 404, "{missing}");
    }
}

#[test]
fn the_link_names_the_address_to_open() {
    let host = Host::start();
    let link = host.links.recv_timeout(PATIENCE).unwrap();
    assert!(
        link.starts_with(&format!("http://{}/login?token=", host.address())),
        "{link}"
    );
}
