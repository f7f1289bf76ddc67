//! From arguments, settings and session file to a client.
//!
//! Contract: `--server` and `COUNTERSIGN_TOKEN` go first, then the settings, then the session file. Knows no command.

use std::sync::Arc;

use secrecy::SecretString;

use super::Arguments;
use super::out::{Failure, NOT_SIGNED_IN};
use crate::base::ports::SystemRandom;
use crate::client::{Client, session};
use crate::config::{self, ClientConfig, paths::Paths};

/// The settings and the folders they came from.
pub struct Settings {
    /// What is set.
    pub config: ClientConfig,
    /// Where things lie.
    pub paths: Paths,
}

/// Reads the settings.
pub fn settings() -> Result<Settings, Failure> {
    let variables = config::variables();
    let paths = Paths::find(&variables).ok_or_else(|| Failure::usage("There is no home folder; set XDG_CONFIG_HOME and XDG_STATE_HOME."))?;
    let file = paths.console_file();
    let text = config::read_file(&file, true)?.unwrap_or_default();
    let config = ClientConfig::parse(&text, &variables).map_err(|e| e.in_file(&file))?;
    Ok(Settings { config, paths })
}

/// The server's address and the token to use there.
pub fn access(server: Option<&str>, settings: &Settings) -> Result<(String, Option<SecretString>), Failure> {
    let session = session::load(&settings.paths.session_file()).map_err(|e| Failure::new(NOT_SIGNED_IN, e.to_string()))?;
    let kept = session.as_ref().map(|s| s.server.clone());
    let server = server.map(str::to_owned).or_else(|| settings.config.server.clone()).or_else(|| kept.clone());
    let server = server.ok_or_else(|| Failure::usage("No server is named: give --server, or set `server` in the settings."))?;
    // A session's token goes to the server it was made for and to no other.
    let same = kept.as_deref().map(|k| k.trim_end_matches('/')) == Some(server.trim_end_matches('/'));
    let own = std::env::var("COUNTERSIGN_TOKEN").ok().map(|t| SecretString::from(t.trim().to_owned()));
    let token = own.or_else(|| session.filter(|_| same).map(|s| s.token));
    Ok((server, token))
}

/// How long a call may take, as it is set.
pub fn timeout(settings: &Settings) -> std::time::Duration {
    std::time::Duration::from_secs(settings.config.timeout_seconds)
}

/// A client with a token; one that changes nothing where the arguments or the settings say so.
pub fn client(arguments: &Arguments) -> Result<Client, Failure> {
    let settings = settings()?;
    let (server, token) = access(arguments.server.as_deref(), &settings)?;
    if token.is_none() {
        return Err(Failure::new(NOT_SIGNED_IN, "No token: set COUNTERSIGN_TOKEN, or sign in with the console."));
    }
    let url = url::Url::parse(&server).map_err(|e| Failure::usage(format!("--server: {e}")))?;
    let ca_pem = match &settings.config.ca_file {
        Some(file) => config::read_file(file, false)?.map(String::into_bytes),
        None => None,
    };
    let config = crate::client::ClientConfig { server: url, ca_pem, token, timeout: timeout(&settings) };
    Ok(Client::new(config, Arc::new(SystemRandom))?.looking_only(arguments.read_only || settings.config.read_only))
}
