//! The gate: links, logins, roles, share links, and the brake on guessing.

use super::*;
use axum::http::HeaderValue;
use std::net::Ipv4Addr;
use std::sync::Arc;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

const PASSWORD: &str = "correct horse";

struct Fixture {
    gate: Gate,
    player: Secret,
    links: Arc<Mutex<Vec<String>>>,
    now: Instant,
}

fn fixture(mode: AccessMode) -> Fixture {
    let links = Arc::new(Mutex::new(Vec::new()));
    let printed = Arc::clone(&links);
    let config = GateConfig {
        mode,
        base_url: "http://127.0.0.1:8080".to_owned(),
        port: 8080,
        tls: false,
        names: vec!["Workstation".to_owned()],
        password: Some(Password {
            digest: SecretDigest::of(PASSWORD),
            cookie_name: "authToken",
        }),
        on_link: Box::new(move |link| printed.lock().unwrap().push(link.to_owned())),
    };
    let now = Instant::now();
    let (gate, player) = Gate::new(config, now).unwrap();
    Fixture {
        gate,
        player,
        links,
        now,
    }
}

impl Fixture {
    fn token(&self) -> String {
        let links = self.links.lock().unwrap();
        links
            .last()
            .unwrap()
            .split_once("token=")
            .unwrap()
            .1
            .to_owned()
    }

    fn cookie(&self, now: Instant) -> HeaderMap {
        let entry = self.gate.login(&self.token(), CLIENT, now).ok().unwrap();
        let (cookie, _) = entry.set_cookie.split_once(';').unwrap();
        headers(header::COOKIE, cookie)
    }
}

fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
    [(name, HeaderValue::from_str(value).unwrap())]
        .into_iter()
        .collect()
}

fn role(f: &Fixture, headers: &HeaderMap) -> Result<Role, Denied> {
    f.gate
        .identify(headers, CLIENT, f.now)
        .map(|identity| identity.role)
}

#[test]
fn a_link_opens_once_and_the_next_one_is_handed_out() {
    let f = fixture(AccessMode::Login);
    let first = f.token();
    let cookie = f.cookie(f.now);
    assert_eq!(role(&f, &cookie), Ok(Role::Admin));
    assert_ne!(f.token(), first);
    let again = f.gate.login(&first, CLIENT, f.now);
    assert!(matches!(again, Err(LoginRefused::WrongToken)));
    assert!(f.gate.login(&f.token(), CLIENT, f.now).is_ok());
}

#[test]
fn an_unused_link_expires_after_a_day_and_is_replaced() {
    let f = fixture(AccessMode::Login);
    let late = f.now + LINK_LIFE;
    let refused = f.gate.login(&f.token(), CLIENT, late);
    assert!(matches!(refused, Err(LoginRefused::Expired)));
    assert_eq!(f.links.lock().unwrap().len(), 2);
    assert!(f.gate.login(&f.token(), CLIENT, late).is_ok());
}

#[test]
fn a_login_expires() {
    let f = fixture(AccessMode::Login);
    let cookie = f.cookie(f.now);
    assert!(
        f.gate
            .logged_in(&cookie, f.now + LOGIN_LIFE - Duration::from_secs(1))
            .is_some()
    );
    assert!(f.gate.logged_in(&cookie, f.now + LOGIN_LIFE).is_none());
}

#[test]
fn logins_are_bounded_and_the_oldest_goes_first() {
    let f = fixture(AccessMode::Login);
    let cookies: Vec<_> = (0..=MAX_LOGINS).map(|_| f.cookie(f.now)).collect();
    assert!(f.gate.logged_in(&cookies[0], f.now).is_none());
    assert!(f.gate.logged_in(&cookies[1], f.now).is_some());
    assert_eq!(f.gate.lock().logins.kept.len(), MAX_LOGINS);
}

#[test]
fn the_players_token_makes_a_player_and_no_more() {
    let f = fixture(AccessMode::Login);
    let right = headers(
        header::AUTHORIZATION,
        &format!("bearer {}", f.player.expose()),
    );
    assert_eq!(role(&f, &right), Ok(Role::Player));
    let wrong = headers(header::AUTHORIZATION, "Bearer nonsense");
    assert_eq!(role(&f, &wrong), Err(Denied::NotLoggedIn));
    let basic = headers(header::AUTHORIZATION, "Basic YTpi");
    assert_eq!(role(&f, &basic), Err(Denied::NotLoggedIn));
}

#[test]
fn guessing_is_slowed_down_for_links_and_tokens_alike() {
    let f = fixture(AccessMode::Login);
    for _ in 0..5 {
        assert!(f.gate.login("guess", CLIENT, f.now).is_err());
        let wrong = headers(header::AUTHORIZATION, "Bearer guess");
        assert!(role(&f, &wrong).is_err());
    }
    let right = f.gate.login(&f.token(), CLIENT, f.now);
    assert!(matches!(right, Err(LoginRefused::TooMany(wait)) if wait <= Duration::from_secs(6)));
    let later = f.now + Duration::from_secs(6);
    assert!(f.gate.login(&f.token(), CLIENT, later).is_ok());
}

#[test]
fn a_stale_cookie_is_not_taken_for_guessing() {
    let f = fixture(AccessMode::Login);
    let stale = headers(header::COOKIE, "heliostat-8080=of-the-last-run");
    for _ in 0..100 {
        assert_eq!(role(&f, &stale), Err(Denied::NotLoggedIn));
    }
    assert!(f.gate.login(&f.token(), CLIENT, f.now).is_ok());
}

#[test]
fn open_access_prints_no_link_and_answers_only_to_its_own_names() {
    let f = fixture(AccessMode::Open);
    assert!(f.links.lock().unwrap().is_empty());
    assert_eq!(role(&f, &HeaderMap::new()), Ok(Role::Admin));
    let known = |host: &str| f.gate.knows_host(&origin::Authority::parse(host).unwrap());
    for host in [
        "localhost:8080",
        "a.localhost",
        "127.0.0.1:9",
        "[::1]:8080",
        "WORKSTATION",
    ] {
        assert!(known(host), "{host}");
    }
    for host in [
        "evil.example:8080",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
    ] {
        assert!(!known(host), "{host}");
    }
}

fn wanted(role: Role, seconds: u64) -> Wanted {
    Wanted {
        role,
        life: Duration::from_secs(seconds),
        name: Some("Guest".to_owned()),
    }
}

fn token_of(link: &ShareLink) -> String {
    let url = link.url.as_deref().unwrap();
    url.split_once("token=").unwrap().1.to_owned()
}

fn open(f: &Fixture, token: &str, now: Instant) -> HeaderMap {
    let entry = f.gate.login(token, CLIENT, now).unwrap();
    headers(header::COOKIE, entry.set_cookie.split_once(';').unwrap().0)
}

#[test]
fn a_share_link_opens_for_several_people_each_with_a_login_of_their_own() {
    let f = fixture(AccessMode::Login);
    let link = f.gate.share(wanted(Role::Controller, 60), f.now).unwrap();
    let guests: Vec<Identity> = (0..3)
        .map(|_| open(&f, &token_of(&link), f.now))
        .map(|cookie| f.gate.identify(&cookie, CLIENT, f.now).unwrap())
        .collect();
    for guest in &guests {
        assert_eq!(guest.role, Role::Controller);
        assert_eq!(guest.shown_name(), "Guest");
    }
    assert!(guests[0].login != guests[1].login && guests[1].login != guests[2].login);
    assert_eq!(f.gate.shared(f.now)[0].logins, 3);
    assert_eq!(f.gate.shared(f.now)[0].url, None, "a link is shown once");
    assert_eq!(
        f.links.lock().unwrap().len(),
        1,
        "the printed link is untouched"
    );
}

#[test]
fn logins_end_with_their_share_link() {
    let f = fixture(AccessMode::Login);
    let link = f.gate.share(wanted(Role::Viewer, 60), f.now).unwrap();
    let cookie = open(&f, &token_of(&link), f.now);
    let identity = f.gate.identify(&cookie, CLIENT, f.now).unwrap();
    let late = f.now + Duration::from_secs(60);
    assert!(f.gate.stands(identity.login, f.now) && !f.gate.stands(identity.login, late));
    assert_eq!(
        f.gate.identify(&cookie, CLIENT, late),
        Err(Denied::NotLoggedIn)
    );
    assert!(f.gate.login(&token_of(&link), CLIENT, late).is_err());

    assert_eq!(f.gate.revoke(link.id).unwrap(), [identity.login]);
    assert_eq!(
        f.gate.identify(&cookie, CLIENT, f.now),
        Err(Denied::NotLoggedIn)
    );
    assert!(f.gate.login(&token_of(&link), CLIENT, f.now).is_err());
    assert_eq!(f.gate.revoke(link.id), Err(LinksError::Unknown));
}

#[test]
fn share_links_and_what_they_let_in_are_bounded() {
    let f = fixture(AccessMode::Login);
    let owner = f.cookie(f.now);
    let links: Vec<_> = (0..MAX_SHARES)
        .map(|_| f.gate.share(wanted(Role::Viewer, 60), f.now).unwrap())
        .collect();
    let one_more = f.gate.share(wanted(Role::Viewer, 60), f.now);
    assert_eq!(one_more, Err(LinksError::TooMany(MAX_SHARES)));
    let first = open(&f, &token_of(&links[0]), f.now);
    let first = f.gate.identify(&first, CLIENT, f.now).unwrap().login;
    for _ in 1..MAX_SHARED_LOGINS {
        open(&f, &token_of(&links[0]), f.now);
    }
    let entry = f.gate.login(&token_of(&links[0]), CLIENT, f.now).unwrap();
    assert_eq!(entry.displaced, Some(first), "the oldest makes room");
    assert!(!f.gate.stands(first, f.now));
    let owner = f.gate.identify(&owner, CLIENT, f.now).unwrap();
    assert_eq!(owner.role, Role::Admin, "guests never displace an owner");
    // Links that have ended make room.
    let late = f.now + Duration::from_secs(61);
    assert!(f.gate.share(wanted(Role::Viewer, 60), late).is_ok());
}

#[test]
fn the_stronger_of_two_cookies_counts() {
    let f = fixture(AccessMode::Login);
    let link = f.gate.share(wanted(Role::Viewer, 60), f.now).unwrap();
    let (guest, owner) = (open(&f, &token_of(&link), f.now), f.cookie(f.now));
    let both = [&guest, &owner]
        .map(|h| h[header::COOKIE].to_str().unwrap())
        .join("; ");
    let both = headers(header::COOKIE, &both);
    assert_eq!(
        f.gate.identify(&both, CLIENT, f.now).unwrap().role,
        Role::Admin
    );
}

fn enter_with(f: &Fixture, password: &str) -> Result<HeaderMap, LoginRefused> {
    let set_cookie = f.gate.login_with_password(password, CLIENT, f.now)?;
    let (cookie, _) = set_cookie.split_once(';').unwrap();
    Ok(headers(header::COOKIE, cookie))
}

#[test]
fn the_password_opens_until_its_client_logs_out() {
    let f = fixture(AccessMode::Login);
    let (first, second) = (
        enter_with(&f, PASSWORD).unwrap(),
        enter_with(&f, PASSWORD).unwrap(),
    );
    let login = |headers| f.gate.logged_in(headers, f.now).map(|who| who.login);
    assert_eq!(role(&f, &first), Ok(Role::Admin));
    assert_eq!(login(&first), login(&second), "they are one person");
    assert!(f.gate.stands(login(&first).unwrap(), f.now));

    let forget = f.gate.log_out_client(&first).unwrap();
    assert!(forget.starts_with("authToken=; ") && forget.contains("Max-Age=0"));
    assert_eq!(role(&f, &first), Err(Denied::NotLoggedIn));
    assert_eq!(role(&f, &second), Ok(Role::Admin));
    let later = f.now + CLIENT_LIFE;
    assert_eq!(f.gate.logged_in(&second, later), None);
}

#[test]
fn clients_that_log_in_at_every_start_push_nobody_else_out() {
    let f = fixture(AccessMode::Login);
    let page = f.cookie(f.now);
    let first = enter_with(&f, PASSWORD).unwrap();
    for _ in 0..MAX_CLIENT_LOGINS {
        enter_with(&f, PASSWORD).unwrap();
    }
    assert_eq!(role(&f, &first), Err(Denied::NotLoggedIn));
    assert_eq!(role(&f, &page), Ok(Role::Admin));
}

#[test]
fn guessing_the_password_is_slowed_down_with_everything_else() {
    let f = fixture(AccessMode::Login);
    for _ in 0..10 {
        let refused = enter_with(&f, "guess");
        assert!(matches!(refused, Err(LoginRefused::WrongToken)));
    }
    let right = enter_with(&f, PASSWORD);
    assert!(matches!(right, Err(LoginRefused::TooMany(_))));
    let link = f.gate.login(&f.token(), CLIENT, f.now);
    assert!(matches!(link, Err(LoginRefused::TooMany(_))));
}
