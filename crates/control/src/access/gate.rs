//! The gate: what opens it, what each caller may do behind it, and the next link to print.

use super::attempts::{Attempts, Wait};
use super::cookie;
use super::secret::{Secret, SecretDigest};
use super::share::Wanted;
use crate::config::AccessMode;
use crate::{Error, origin};
use axum::http::{HeaderMap, header};
use control_api::{InputRights, Role, ShareLink};
use sessions::{Identity, LinksError, LoginId};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whoever knows the password.
const CLIENTS: LoginId = LoginId::FIRST;
/// A link that nobody opened is replaced after this.
const LINK_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A login lasts this long.
const LOGIN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Logins kept that came by the printed link; the oldest makes room.
const MAX_LOGINS: usize = 256;
/// Share links at a time.
const MAX_SHARES: usize = 32;
/// Logins kept that came by one share link; the oldest makes room.
const MAX_SHARED_LOGINS: usize = 32;
/// Logins kept that came by the password; the oldest makes room.
const MAX_CLIENT_LOGINS: usize = 16;
/// Such a login lasts this long.
const CLIENT_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
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
    /// What opens the gate to clients that know no links.
    pub(crate) password: Option<Password>,
    pub(crate) on_link: Box<dyn Fn(&str) + Send + Sync>,
}

/// A password, and the name of the cookie that it is exchanged for.
pub(crate) struct Password {
    pub(crate) digest: SecretDigest,
    pub(crate) cookie_name: &'static str,
}

pub(crate) struct Gate {
    config: GateConfig,
    cookie_name: String,
    player: SecretDigest,
    state: Mutex<State>,
}

struct State {
    link: Link,
    logins: Logins,
    /// By the password. All of them are one login: whoever knows it is one person.
    clients: Logins,
    shares: Vec<Share>,
    next_share: u32,
    next_login: u64,
    attempts: Attempts,
}

/// The printed link: it opens once and makes an administrator.
struct Link {
    digest: SecretDigest,
    expires: Instant,
}

/// A link that somebody made for others: it opens until it ends, and what it opened ends with it.
struct Share {
    id: u32,
    digest: SecretDigest,
    expires: Instant,
    role: Role,
    name: Option<String>,
    logins: Logins,
}

/// Logins by one kind of link, oldest first.
struct Logins {
    most: usize,
    kept: VecDeque<Login>,
}

struct Login {
    id: LoginId,
    digest: SecretDigest,
    expires: Instant,
}

/// A login succeeded; the browser is to keep this cookie.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) set_cookie: String,
    /// A login that had to make room, and ends.
    pub(crate) displaced: Option<LoginId>,
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
                logins: Logins::new(MAX_LOGINS),
                clients: Logins::new(MAX_CLIENT_LOGINS),
                shares: Vec::new(),
                next_share: 1,
                next_login: CLIENTS.0 + 1,
                attempts: Attempts::default(),
            }),
            config,
        };
        gate.hand_out(&secret);
        Ok((gate, player))
    }

    /// Who sent a request with `headers`.
    pub(crate) fn identify(
        &self,
        headers: &HeaderMap,
        client: IpAddr,
        now: Instant,
    ) -> Result<Identity, Denied> {
        if self.config.mode == AccessMode::Open {
            return Ok(Identity::local_admin());
        }
        if let Some(identity) = self.logged_in(headers, now) {
            return Ok(identity);
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
            return Ok(Identity {
                role: Role::Player,
                login: LoginId::PLAYER,
                name: None,
                rights: InputRights::ALL,
            });
        }
        state.attempts.failed(client, now);
        Err(Denied::NotLoggedIn)
    }

    /// Who the request is from by its cookie. A stale one is no attempt at guessing: the page of a
    /// restarted host would lock its own user out.
    pub(crate) fn logged_in(&self, headers: &HeaderMap, now: Instant) -> Option<Identity> {
        if self.config.mode == AccessMode::Open {
            return Some(Identity::local_admin());
        }
        let headers = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|h| h.to_str().ok());
        let password = self.config.password.as_ref();
        let names = [
            Some(&*self.cookie_name),
            password.map(|known| known.cookie_name),
        ];
        let cookies = headers.flat_map(|header| {
            let of_name = move |name| cookie::values(header, name);
            names.into_iter().flatten().flat_map(of_name)
        });
        let digests = cookies.take(MAX_COOKIES).map(SecretDigest::of);
        let state = self.lock();
        // Another program may have set a cookie of this name, and an old one may be left: the one
        // that opens most counts.
        let known = digests.filter_map(|digest| state.identity_of(&digest, now));
        known.max_by_key(|identity| identity.role)
    }

    /// Whether `token` is of the share link that `identity` came by.
    pub(crate) fn opened(&self, identity: &Identity, token: &str) -> bool {
        let digest = SecretDigest::of(token);
        let state = self.lock();
        let mut shares = state.shares.iter();
        shares.any(|share| share.digest.matches(&digest) && share.logins.holds(identity.login))
    }

    /// Whether a login still stands.
    pub(crate) fn stands(&self, login: LoginId, now: Instant) -> bool {
        let state = self.lock();
        let mut all = state.all_logins(now);
        all.any(|kept| kept.id == login && now < kept.expires)
    }

    /// Exchanges a link's token for a login, and hands the next link out where it was the printed one.
    pub(crate) fn login(
        &self,
        token: &str,
        client: IpAddr,
        now: Instant,
    ) -> Result<Entry, LoginRefused> {
        let digest = SecretDigest::of(token);
        let cookie = Secret::generate().map_err(LoginRefused::Internal)?;
        let mut state = self.lock();
        state
            .attempts
            .check(client, now)
            .map_err(|Wait(wait)| LoginRefused::TooMany(wait))?;
        if let Some((life, displaced)) = state.enter_by_share(&digest, &cookie, now) {
            return Ok(Entry {
                set_cookie: self.set_cookie(&cookie, life),
                displaced,
            });
        }
        if !state.link.digest.matches(&digest) {
            state.attempts.failed(client, now);
            return Err(LoginRefused::WrongToken);
        }
        let next = Secret::generate().map_err(LoginRefused::Internal)?;
        let expired = state.link.expires <= now;
        state.link = Link::new(&next, now);
        let displaced = if expired {
            None
        } else {
            let id = state.number_login();
            state.logins.admit(id, &cookie, now + LOGIN_LIFE, now)
        };
        drop(state);
        self.hand_out(&next);
        if expired {
            return Err(LoginRefused::Expired);
        }
        Ok(Entry {
            set_cookie: self.set_cookie(&cookie, LOGIN_LIFE),
            displaced,
        })
    }

    /// Exchanges the password for a login; answers with the cookie to keep.
    pub(crate) fn login_with_password(
        &self,
        offered: &str,
        client: IpAddr,
        now: Instant,
    ) -> Result<String, LoginRefused> {
        let cookie = Secret::generate().map_err(LoginRefused::Internal)?;
        let offered = SecretDigest::of(offered);
        let mut state = self.lock();
        state
            .attempts
            .check(client, now)
            .map_err(|Wait(wait)| LoginRefused::TooMany(wait))?;
        let known = self.config.password.as_ref();
        let Some(known) = known.filter(|known| known.digest.matches(&offered)) else {
            state.attempts.failed(client, now);
            return Err(LoginRefused::WrongToken);
        };
        state
            .clients
            .admit(CLIENTS, &cookie, now + CLIENT_LIFE, now);
        Ok(self.cookie(known.cookie_name, cookie.expose(), CLIENT_LIFE))
    }

    /// Ends the login by password that the request carries; answers with the cookie that forgets it.
    pub(crate) fn log_out_client(&self, headers: &HeaderMap) -> Option<String> {
        let known = self.config.password.as_ref()?;
        let headers = headers.get_all(header::COOKIE).iter();
        let texts = headers.filter_map(|header| header.to_str().ok());
        let cookies = texts.flat_map(|text| cookie::values(text, known.cookie_name));
        let mut state = self.lock();
        for digest in cookies.take(MAX_COOKIES).map(SecretDigest::of) {
            let clients = &mut state.clients.kept;
            clients.retain(|login| !login.digest.matches(&digest));
        }
        Some(self.cookie(known.cookie_name, "", Duration::ZERO))
    }

    /// Makes a share link. Its token is told this once.
    pub(crate) fn share(&self, wanted: Wanted, now: Instant) -> Result<ShareLink, LinksError> {
        if self.config.mode == AccessMode::Open {
            return Err(LinksError::NoLogins);
        }
        let secret = Secret::generate().map_err(|_| LinksError::Random)?;
        let mut state = self.lock();
        state.shares.retain(|share| now < share.expires);
        if state.shares.len() >= MAX_SHARES {
            return Err(LinksError::TooMany(MAX_SHARES));
        }
        let share = Share {
            id: state.next_share,
            digest: secret.digest(),
            expires: now + wanted.life,
            role: wanted.role,
            name: wanted.name,
            logins: Logins::new(MAX_SHARED_LOGINS),
        };
        state.next_share += 1;
        let mut link = share.tell(now);
        link.url = Some(self.url_of(&secret));
        state.shares.push(share);
        Ok(link)
    }

    /// The share links that work, oldest first.
    pub(crate) fn shared(&self, now: Instant) -> Vec<ShareLink> {
        let state = self.lock();
        let works = state.shares.iter().filter(|share| now < share.expires);
        works.map(|share| share.tell(now)).collect()
    }

    /// Ends a share link and the logins that it made.
    pub(crate) fn revoke(&self, id: u32) -> Result<Vec<LoginId>, LinksError> {
        let mut state = self.lock();
        let place = state.shares.iter().position(|share| share.id == id);
        let share = state.shares.remove(place.ok_or(LinksError::Unknown)?);
        Ok(share.logins.kept.iter().map(|login| login.id).collect())
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

    /// Whether everybody on this machine is let in.
    pub(crate) fn is_open(&self) -> bool {
        self.config.mode == AccessMode::Open
    }

    fn set_cookie(&self, cookie: &Secret, life: Duration) -> String {
        let life = life.max(Duration::from_secs(1));
        self.cookie(&self.cookie_name, cookie.expose(), life)
    }

    fn cookie(&self, name: &str, value: &str, life: Duration) -> String {
        let secure = if self.config.tls { "; Secure" } else { "" };
        let seconds = life.as_secs();
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }

    fn hand_out(&self, secret: &Secret) {
        if self.config.mode == AccessMode::Login {
            (self.config.on_link)(&self.url_of(secret));
        }
    }

    fn url_of(&self, secret: &Secret) -> String {
        format!("{}/login?token={}", self.config.base_url, secret.expose())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half-changed by a panic: every change is one assignment or one push.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn number_login(&mut self) -> LoginId {
        let id = LoginId(self.next_login);
        self.next_login += 1;
        id
    }

    /// Every login; those of a share link end with it.
    fn all_logins(&self, now: Instant) -> impl Iterator<Item = &Login> {
        let shares = self.shares.iter().filter(move |share| now < share.expires);
        let shared = shares.flat_map(|share| &share.logins.kept);
        let own = self.logins.kept.iter().chain(&self.clients.kept);
        own.chain(shared)
    }

    fn identity_of(&self, digest: &SecretDigest, now: Instant) -> Option<Identity> {
        if let Some(login) = self.logins.find(digest, now) {
            return Some(Identity {
                role: Role::Admin,
                login,
                name: None,
                rights: InputRights::ALL,
            });
        }
        if let Some(login) = self.clients.find(digest, now) {
            return Some(Identity {
                role: Role::Admin,
                login,
                name: Some("JetKVM client".to_owned()),
                rights: InputRights::ALL,
            });
        }
        let mut shares = self.shares.iter().filter(|share| now < share.expires);
        shares.find_map(|share| {
            let login = share.logins.find(digest, now)?;
            Some(Identity {
                role: share.role,
                login,
                name: share.name.clone(),
                rights: InputRights::ALL,
            })
        })
    }

    /// A new login by the share link of that token: how long it lasts, and which one made room.
    fn enter_by_share(
        &mut self,
        digest: &SecretDigest,
        cookie: &Secret,
        now: Instant,
    ) -> Option<(Duration, Option<LoginId>)> {
        let id = LoginId(self.next_login);
        let mut shares = self.shares.iter_mut().filter(|share| now < share.expires);
        let share = shares.find(|share| share.digest.matches(digest))?;
        let displaced = share.logins.admit(id, cookie, share.expires, now);
        let life = share.expires.saturating_duration_since(now);
        self.number_login();
        Some((life, displaced))
    }
}

impl Logins {
    fn new(most: usize) -> Self {
        Self {
            most,
            kept: VecDeque::new(),
        }
    }

    /// Keeps a login; the one that had to make room for it comes back.
    fn admit(
        &mut self,
        id: LoginId,
        cookie: &Secret,
        expires: Instant,
        now: Instant,
    ) -> Option<LoginId> {
        self.kept.retain(|login| now < login.expires);
        let displaced = if self.kept.len() >= self.most {
            self.kept.pop_front().map(|login| login.id)
        } else {
            None
        };
        self.kept.push_back(Login {
            id,
            digest: cookie.digest(),
            expires,
        });
        displaced
    }

    fn find(&self, digest: &SecretDigest, now: Instant) -> Option<LoginId> {
        let mut valid = self.kept.iter().filter(|login| now < login.expires);
        valid
            .find(|login| login.digest.matches(digest))
            .map(|login| login.id)
    }

    fn holds(&self, id: LoginId) -> bool {
        self.kept.iter().any(|login| login.id == id)
    }
}

impl Share {
    fn tell(&self, now: Instant) -> ShareLink {
        ShareLink {
            id: self.id,
            url: None,
            role: self.role,
            name: self.name.clone(),
            expires_in_seconds: self.expires.saturating_duration_since(now).as_secs(),
            logins: u32::try_from(self.logins.kept.len()).unwrap_or(u32::MAX),
        }
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
#[path = "gate_tests.rs"]
mod tests;
