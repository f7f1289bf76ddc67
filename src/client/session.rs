//! The session file: which server, which token. One file, readable by its owner only.
//!
//! Contract: written atomically with mode 0600; a file that others could read is refused, never silently used. The path is given in.

use std::io::{self, Write as _};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The largest session file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What is remembered between two starts.
#[derive(Debug, Clone)]
pub struct Session {
    /// The server's address.
    pub server: String,
    /// The credential.
    pub token: SecretString,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: String,
    token: String,
}

/// Why a session can't be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The file can't be read or written.
    #[error("The session file {0} can't be used: {1}.")]
    Io(String, io::Error),
    /// Others could read it.
    #[error("The session file {0} can be read by others. Take their rights away (chmod 600), and ask for a new token.")]
    Readable(String),
    /// It is not what this program writes.
    #[error("The session file {0} is not one that this program wrote. Remove it and sign in again.")]
    Strange(String),
}

/// Reads a session; `None` if there is none.
pub fn load(path: &Path) -> Result<Option<Session>, SessionError> {
    let shown = || path.display().to_string();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(SessionError::Io(shown(), e)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if meta.permissions().mode() & 0o077 != 0 {
            return Err(SessionError::Readable(shown()));
        }
    }
    if meta.len() > MAX_FILE {
        return Err(SessionError::Strange(shown()));
    }
    let text = std::fs::read_to_string(path).map_err(|e| SessionError::Io(shown(), e))?;
    parse(&text).map(Some).ok_or_else(|| SessionError::Strange(shown()))
}

/// The session that a file's text holds; nothing if it is not what this program writes.
pub fn parse(text: &str) -> Option<Session> {
    let file: File = toml::from_str(text).ok()?;
    Some(Session { server: file.server, token: file.token.into() })
}

/// Writes a session, replacing the one before in one step.
pub fn save(path: &Path, session: &Session) -> Result<(), SessionError> {
    let file = File { server: session.server.clone(), token: session.token.expose_secret().to_owned() };
    let text = toml::to_string(&file).map_err(|_| SessionError::Strange(path.display().to_string()))?;
    write_private(path, text.as_bytes()).map_err(|e| SessionError::Io(path.display().to_string(), e))
}

/// Forgets the session.
pub fn forget(path: &Path) -> Result<(), SessionError> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(SessionError::Io(path.display().to_string(), e)),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner can read, in one step: complete or not at all, also over a crash.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let new = folder.join(format!(".{name}.{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(&new)?;
    let done = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&new, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&new);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_comes_back_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/session.toml");
        assert!(load(&path).unwrap().is_none());
        save(&path, &Session { server: "http://127.0.0.1:1".into(), token: "t\"1".to_owned().into() }).unwrap();
        let back = load(&path).unwrap().unwrap();
        assert_eq!((back.server.as_str(), back.token.expose_secret()), ("http://127.0.0.1:1", "t\"1"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(load(&path), Err(SessionError::Readable(_))));
        }
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert!(load(&path).unwrap().is_none());
    }

    #[test]
    fn a_strange_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.toml");
        for bad in ["", "server = 1", "server = 'a'\ntoken = 'b'\nmore = 1"] {
            write_private(&path, bad.as_bytes()).unwrap();
            assert!(matches!(load(&path), Err(SessionError::Strange(_))), "{bad}");
        }
    }
}
