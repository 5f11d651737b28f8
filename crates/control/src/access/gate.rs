//! The gate: what opens it, what each caller may do behind it, and the next link to print.

use super::attempts::{Attempts, Wait};
use super::secret::{Secret, SecretDigest};
use super::{Role, cookie};
use crate::config::AccessMode;
use crate::{Error, origin};
use axum::http::{HeaderMap, header};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A link that nobody opened is replaced after this.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A login lasts this long.
const LOGIN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Logins kept; the oldest makes room.
const MAX_LOGINS: usize = 256;
/// Cookies of our name looked at in one request.
const MAX_COOKIES: usize = 8;

/// What the gate is made from.
pub(crate) struct GateConfig {
    pub(crate) mode: AccessMode,
    /// Where the page is, without a path.
    pub(crate) base_url: String,
    /// Ports do not keep cookies apart, so the port is in the cookie's name.
    pub(crate) port: u16,
    pub(crate) tls: bool,
    /// Names under which this host is known, `localhost` aside.
    pub(crate) names: Vec<String>,
    pub(crate) on_link: Box<dyn Fn(&str) + Send + Sync>,
}

pub(crate) struct Gate {
    config: GateConfig,
    cookie_name: String,
    player: SecretDigest,
    state: Mutex<State>,
}

struct State {
    link: Link,
    logins: VecDeque<Login>,
    attempts: Attempts,
}

struct Link {
    digest: SecretDigest,
    expires: Instant,
}

struct Login {
    digest: SecretDigest,
    expires: Instant,
}

/// A login succeeded; the browser is to keep this cookie.
pub(crate) struct Entry {
    pub(crate) set_cookie: String,
}

/// Why a link did not open the gate.
#[derive(Debug)]
pub(crate) enum LoginRefused {
    /// Not the current link's token.
    WrongToken,
    /// The right token, too late; the next link has been handed out.
    Expired,
    /// Too many failures.
    TooMany(Duration),
    /// No random numbers for the next secrets.
    Internal(Error),
}

/// Why a request gets no role.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It shows nothing that opens the gate.
    NotLoggedIn,
    /// Too many failures.
    TooMany(Duration),
}

impl Gate {
    /// A gate, its first link handed out, and the players' token.
    pub(crate) fn new(config: GateConfig, now: Instant) -> Result<(Self, Secret), Error> {
        let player = Secret::generate()?;
        let secret = Secret::generate()?;
        let gate = Self {
            cookie_name: format!("heliostat-{}", config.port),
            player: player.digest(),
            state: Mutex::new(State {
                link: Link::new(&secret, now),
                logins: VecDeque::new(),
                attempts: Attempts::default(),
            }),
            config,
        };
        gate.hand_out(&secret);
        Ok((gate, player))
    }

    /// What the sender of a request with `headers` may do.
    pub(crate) fn role(
        &self,
        headers: &HeaderMap,
        client: IpAddr,
        now: Instant,
    ) -> Result<Role, Denied> {
        if self.config.mode == AccessMode::Open || self.logged_in(headers, now) {
            return Ok(Role::Viewer);
        }
        let Some(token) = bearer(headers) else {
            return Err(Denied::NotLoggedIn);
        };
        let mut state = self.lock();
        state
            .attempts
            .check(client, now)
            .map_err(|Wait(wait)| Denied::TooMany(wait))?;
        if self.player.matches(&SecretDigest::of(token)) {
            return Ok(Role::Player);
        }
        state.attempts.failed(client, now);
        Err(Denied::NotLoggedIn)
    }

    /// Whether the request carries a valid login. A stale one is no attempt at guessing: the page
    /// of a restarted host would lock its own user out.
    pub(crate) fn logged_in(&self, headers: &HeaderMap, now: Instant) -> bool {
        let headers = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|h| h.to_str().ok());
        let cookies = headers.flat_map(|header| cookie::values(header, &self.cookie_name));
        let mut digests = cookies.take(MAX_COOKIES).map(SecretDigest::of);
        let state = self.lock();
        digests.any(|digest| {
            let mut logins = state.logins.iter();
            logins.any(|login| now < login.expires && login.digest.matches(&digest))
        })
    }

    /// Exchanges a link's token for a login, and hands the next link out.
    pub(crate) fn login(
        &self,
        token: &str,
        client: IpAddr,
        now: Instant,
    ) -> Result<Entry, LoginRefused> {
        let digest = SecretDigest::of(token);
        let (cookie, next) = {
            let mut state = self.lock();
            state
                .attempts
                .check(client, now)
                .map_err(|Wait(wait)| LoginRefused::TooMany(wait))?;
            if !state.link.digest.matches(&digest) {
                state.attempts.failed(client, now);
                return Err(LoginRefused::WrongToken);
            }
            let next = Secret::generate().map_err(LoginRefused::Internal)?;
            let expired = state.link.expires <= now;
            let cookie = Secret::generate().map_err(LoginRefused::Internal)?;
            state.link = Link::new(&next, now);
            if !expired {
                state.admit(&cookie, now);
            }
            ((!expired).then_some(cookie), next)
        };
        self.hand_out(&next);
        let cookie = cookie.ok_or(LoginRefused::Expired)?;
        Ok(Entry {
            set_cookie: self.set_cookie(&cookie),
        })
    }

    /// Whether a request that names `authority` as its host may be meant for this one. A page of
    /// another site can point its own name at this machine (DNS rebinding) and then reads every
    /// answer; with a login it lacks the cookie, with open access only this check is left. Addresses
    /// are no names, so nobody can point them anywhere.
    pub(crate) fn knows_host(&self, authority: &origin::Authority) -> bool {
        let host = &authority.host;
        self.config.mode == AccessMode::Login
            || host.parse::<IpAddr>().is_ok()
            || host == "localhost"
            || host.ends_with(".localhost")
            || self
                .config
                .names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(host))
    }

    pub(crate) fn uses_tls(&self) -> bool {
        self.config.tls
    }

    fn set_cookie(&self, cookie: &Secret) -> String {
        let secure = if self.config.tls { "; Secure" } else { "" };
        format!(
            "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}",
            self.cookie_name,
            cookie.expose(),
            LOGIN_LIFE.as_secs(),
        )
    }

    fn hand_out(&self, secret: &Secret) {
        if self.config.mode == AccessMode::Login {
            (self.config.on_link)(&format!(
                "{}/login?token={}",
                self.config.base_url,
                secret.expose()
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-changed by a panic: every change is one assignment or one push.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn admit(&mut self, cookie: &Secret, now: Instant) {
        self.logins.retain(|login| now < login.expires);
        if self.logins.len() >= MAX_LOGINS {
            self.logins.pop_front();
        }
        self.logins.push_back(Login {
            digest: cookie.digest(),
            expires: now + LOGIN_LIFE,
        });
    }
}

impl Link {
    fn new(secret: &Secret, now: Instant) -> Self {
        Self {
            digest: secret.digest(),
            expires: now + LINK_LIFE,
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

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

    #[test]
    fn a_link_opens_once_and_the_next_one_is_handed_out() {
        let f = fixture(AccessMode::Login);
        let first = f.token();
        let cookie = f.cookie(f.now);
        assert_eq!(f.gate.role(&cookie, CLIENT, f.now), Ok(Role::Viewer));
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
        );
        assert!(!f.gate.logged_in(&cookie, f.now + LOGIN_LIFE));
    }

    #[test]
    fn logins_are_bounded_and_the_oldest_goes_first() {
        let f = fixture(AccessMode::Login);
        let cookies: Vec<_> = (0..=MAX_LOGINS).map(|_| f.cookie(f.now)).collect();
        assert!(!f.gate.logged_in(&cookies[0], f.now));
        assert!(f.gate.logged_in(&cookies[1], f.now));
        assert_eq!(f.gate.lock().logins.len(), MAX_LOGINS);
    }

    #[test]
    fn the_players_token_makes_a_player_and_no_more() {
        let f = fixture(AccessMode::Login);
        let right = headers(
            header::AUTHORIZATION,
            &format!("bearer {}", f.player.expose()),
        );
        assert_eq!(f.gate.role(&right, CLIENT, f.now), Ok(Role::Player));
        let wrong = headers(header::AUTHORIZATION, "Bearer nonsense");
        assert_eq!(f.gate.role(&wrong, CLIENT, f.now), Err(Denied::NotLoggedIn));
        let basic = headers(header::AUTHORIZATION, "Basic YTpi");
        assert_eq!(f.gate.role(&basic, CLIENT, f.now), Err(Denied::NotLoggedIn));
    }

    #[test]
    fn guessing_is_slowed_down_for_links_and_tokens_alike() {
        let f = fixture(AccessMode::Login);
        for _ in 0..5 {
            assert!(f.gate.login("guess", CLIENT, f.now).is_err());
            let wrong = headers(header::AUTHORIZATION, "Bearer guess");
            assert!(f.gate.role(&wrong, CLIENT, f.now).is_err());
        }
        let right = f.gate.login(&f.token(), CLIENT, f.now);
        assert!(
            matches!(right, Err(LoginRefused::TooMany(wait)) if wait <= Duration::from_secs(6))
        );
        let later = f.now + Duration::from_secs(6);
        assert!(f.gate.login(&f.token(), CLIENT, later).is_ok());
    }

    #[test]
    fn a_stale_cookie_is_not_taken_for_guessing() {
        let f = fixture(AccessMode::Login);
        let stale = headers(header::COOKIE, "heliostat-8080=of-the-last-run");
        for _ in 0..100 {
            assert_eq!(f.gate.role(&stale, CLIENT, f.now), Err(Denied::NotLoggedIn));
        }
        assert!(f.gate.login(&f.token(), CLIENT, f.now).is_ok());
    }

    #[test]
    fn open_access_prints_no_link_and_answers_only_to_its_own_names() {
        let f = fixture(AccessMode::Open);
        assert!(f.links.lock().unwrap().is_empty());
        assert_eq!(
            f.gate.role(&HeaderMap::new(), CLIENT, f.now),
            Ok(Role::Viewer)
        );
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
}
