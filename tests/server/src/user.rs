//! Users: their API keys and roles.

/// A user with an API key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    /// The API key.
    pub key: String,
    /// A token of an OAuth login, which `Authorization: Bearer` can have instead of the key.
    pub token: Option<String>,
    /// The name that the key belongs to.
    pub username: String,
    /// The role, which decides which requests are allowed.
    pub role: Role,
    /// Refuse all of the user's requests with code 50.
    pub locked: bool,
    /// Make the user a service principal: the key is valid and has its role everywhere, but
    /// `GET v1/user` refuses it with code 22.
    pub service_principal: bool,
}

impl User {
    /// Returns a user that has no token and is neither locked nor a service principal.
    pub fn new(key: impl Into<String>, username: impl Into<String>, role: Role) -> User {
        User {
            key: key.into(),
            token: None,
            username: username.into(),
            role,
            locked: false,
            service_principal: false,
        }
    }

    /// Returns the same user, with a token of an OAuth login.
    pub fn token(self, token: impl Into<String>) -> User {
        User { token: Some(token.into()), ..self }
    }

    /// Returns the same user, locked.
    pub fn locked(self) -> User {
        User { locked: true, ..self }
    }

    /// Returns the same user as a service principal.
    pub fn service_principal(self) -> User {
        User { service_principal: true, ..self }
    }
}

/// The role of a user, in ascending order of permissions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// May view content.
    Viewer,
    /// May publish, and read the lists of installations.
    Publisher,
    /// May use everything that this server serves.
    Administrator,
}

impl Role {
    /// Returns the role as the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Publisher => "publisher",
            Role::Administrator => "administrator",
        }
    }
}
