//! Who a caller is, and what the hub needs of whoever lets callers in.

use control_api::{CreateShareLink, InputRights, Role, ShareLink};

/// A login, unique while the host runs. Sessions of one login are one person's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginId(pub u64);

impl LoginId {
    /// Whoever is on this machine: open access, the management socket, the parent process. Logins
    /// that somebody gave out have higher numbers.
    pub const LOCAL: Self = Self(0);
    /// A player with the players' token.
    pub const PLAYER: Self = Self(1);
    /// The first number for others.
    pub const FIRST: Self = Self(2);
    /// From here on: Moonlight clients, by the number they were paired under.
    pub const PAIRED: Self = Self(1 << 48);

    /// The login of a Moonlight client, by the number it was paired under.
    #[must_use]
    pub fn of_client(id: u32) -> Self {
        Self(Self::PAIRED.0 + u64::from(id))
    }
}

/// Who a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it may do.
    pub role: Role,
    /// By which login.
    pub login: LoginId,
    /// What it is called, where it was given a name.
    pub name: Option<String>,
    /// Which of its input counts while it drives.
    pub rights: InputRights,
}

impl Identity {
    /// Somebody on this machine who may do everything.
    #[must_use]
    pub const fn local_admin() -> Self {
        Self {
            role: Role::Admin,
            login: LoginId::LOCAL,
            name: None,
            rights: InputRights::ALL,
        }
    }

    /// What to call it.
    #[must_use]
    pub fn shown_name(&self) -> String {
        let by_role = || match self.role {
            Role::Player => "Player",
            Role::Viewer => "Viewer",
            Role::Controller => "Controller",
            Role::Admin => "Administrator",
        };
        self.name.clone().unwrap_or_else(|| by_role().to_owned())
    }
}

/// Whoever lets callers in and makes share links. Called from the thread that serves, so it must
/// return at once.
pub trait Links: Send + Sync + 'static {
    /// Whether a login still stands.
    fn stands(&self, login: LoginId) -> bool;

    /// Makes a share link.
    ///
    /// # Errors
    /// [`LinksError`].
    fn create(&self, wanted: &CreateShareLink) -> Result<ShareLink, LinksError>;

    /// The share links that work, oldest first.
    fn list(&self) -> Vec<ShareLink>;

    /// Ends a share link and the logins that it made, which are returned: the hub ends what they have.
    ///
    /// # Errors
    /// [`LinksError::Unknown`].
    fn revoke(&self, id: u32) -> Result<Vec<LoginId>, LinksError>;
}

/// Why there is no such share link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinksError {
    /// A member of the request cannot be used.
    #[error("{field}: {message}")]
    Parameter {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        message: &'static str,
    },
    /// There are as many as there may be.
    #[error("there are {0} share links already: revoke one first")]
    TooMany(usize),
    /// There is no such link, or it has ended.
    #[error("there is no such share link, or it has ended")]
    Unknown,
    /// Everybody is let in, or nobody.
    #[error("this host takes no logins")]
    NoLogins,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}
