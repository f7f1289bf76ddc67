//! From arguments, settings and session file to a client.
//!
//! Contract: `--server` and `COUNTERSIGN_TOKEN` go first, then the settings, then the session file. Knows no command.

use std::sync::Arc;

use secrecy::SecretString;

use super::Arguments;
use super::out::{Failure, NOT_SIGNED_IN};
use crate::base::ports::SystemRandom;
use crate::client::{Client, session};
use crate::config::{self, ClientConfig, ConfigError, Variables, paths::Paths};

/// The settings and the folders they came from.
pub struct Settings {
    /// What is set.
    pub config: ClientConfig,
    /// Where things lie.
    pub paths: Paths,
}

/// Reads the settings, all of them, as the console needs.
pub fn settings() -> Result<Settings, Failure> {
    read(ClientConfig::parse)
}

fn read(parse: impl FnOnce(&str, &Variables) -> Result<ClientConfig, ConfigError>) -> Result<Settings, Failure> {
    let variables = config::variables();
    let paths = Paths::find(&variables).ok_or_else(|| Failure::usage("There is no home folder; set XDG_CONFIG_HOME and XDG_STATE_HOME."))?;
    let file = paths.console_file();
    let text = config::read_file(&file, true)?.unwrap_or_default();
    let config = parse(&text, &variables).map_err(|e| e.in_file(&file))?;
    Ok(Settings { config, paths })
}

/// The server's address and the token to use there.
pub fn access(server: Option<&str>, settings: &Settings) -> Result<(String, Option<SecretString>), Failure> {
    let own = std::env::var("COUNTERSIGN_TOKEN").ok().filter(|t| !t.trim().is_empty());
    let own = own.map(|t| SecretString::from(t.trim().to_owned()));
    let (session, broken) = session_of(&settings.paths.session_file(), own.is_some())?;
    let kept = session.as_ref().map(|s| s.server.clone());
    let server = server.map(str::to_owned).or_else(|| settings.config.server.clone()).or_else(|| kept.clone());
    let server = server.ok_or_else(|| {
        let broken = broken.map(|why| format!(" {why}")).unwrap_or_default();
        Failure::usage(format!("No server is named: give --server, or set `server` in the settings.{broken}"))
    })?;
    // A session's token goes to the server it was made for and to no other.
    let same = kept.as_deref().map(|k| k.trim_end_matches('/')) == Some(server.trim_end_matches('/'));
    let token = own.or_else(|| session.filter(|_| same).map(|s| s.token));
    Ok((server, token))
}

/// The session, and why it can't be used where the token of the environment is taken instead; without that token it must be one.
fn session_of(file: &std::path::Path, own: bool) -> Result<(Option<session::Session>, Option<String>), Failure> {
    match session::load(file) {
        Ok(session) => Ok((session, None)),
        Err(why) if own => Ok((None, Some(why.to_string()))),
        Err(why) => Err(Failure::new(NOT_SIGNED_IN, format!("{why} A token in COUNTERSIGN_TOKEN goes before that file."))),
    }
}

/// How long a call may take: as the arguments say, or the settings.
pub fn timeout(arguments: &Arguments, settings: &Settings) -> std::time::Duration {
    std::time::Duration::from_secs(arguments.timeout.unwrap_or(settings.config.timeout_seconds))
}

/// A client with a token; one that changes nothing where the arguments or the settings say so.
pub fn client(arguments: &Arguments) -> Result<Client, Failure> {
    // What only the console reads stops no script.
    let settings = read(ClientConfig::parse_for_commands)?;
    let (server, token) = access(arguments.server.as_deref(), &settings)?;
    if token.is_none() {
        return Err(Failure::new(NOT_SIGNED_IN, "No token: set COUNTERSIGN_TOKEN, or sign in with the console."));
    }
    let url = url::Url::parse(&server).map_err(|e| Failure::usage(format!("The server's address can't be read: {e}.")))?;
    let ca_pem = match &settings.config.ca_file {
        Some(file) => config::read_file(file, false)?.map(String::into_bytes),
        None => None,
    };
    let config = crate::client::ClientConfig { server: url, ca_pem, token, timeout: timeout(arguments, &settings) };
    Ok(Client::new(config, Arc::new(SystemRandom))?.looking_only(arguments.read_only || settings.config.read_only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_session_stops_only_whoever_has_no_other_token_and_names_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("session.toml");
        session::write_private(&file, b"garbage").unwrap();
        let (session, why) = session_of(&file, true).unwrap();
        assert!(session.is_none() && why.unwrap().contains("session.toml"));
        let failure = session_of(&file, false).err().unwrap();
        assert!(failure.detail.contains("Remove it and sign in again") && failure.detail.contains("COUNTERSIGN_TOKEN"), "{}", failure.detail);
        assert_eq!(failure.code, NOT_SIGNED_IN);
    }
}
