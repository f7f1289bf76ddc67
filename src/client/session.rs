//! The session file: which server, which token. One file, readable by its owner only.
//!
//! Contract: written atomically with mode 0600; a file that others could read is refused, never silently used, and so is one that holds what no
//! server's address or token can be. The path is given in.

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The largest session file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// The longest address and the longest token that are taken, in bytes.
const MAX_WORD: usize = 4096;

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
    match read_small(path, MAX_FILE) {
        Ok(bytes) => parse(&bytes).map(Some).ok_or_else(|| SessionError::Strange(shown())),
        Err(e) if e.kind() == io::ErrorKind::FileTooLarge => Err(SessionError::Strange(shown())),
        Err(e) => Err(SessionError::Io(shown(), e)),
    }
}

/// Reads the content of a session file; `None` for what this program does not write: other fields or types, an address or a token that is empty,
/// too long or holds anything but visible ASCII.
pub fn parse(bytes: &[u8]) -> Option<Session> {
    let file: File = toml::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    let plain = |word: &str| (1..=MAX_WORD).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_graphic());
    (plain(&file.server) && plain(&file.token)).then(|| Session { server: file.server, token: file.token.into() })
}

/// Reads a regular file of at most so many bytes; never a pipe or a device, which could go on for ever.
///
/// # Errors
/// `FileTooLarge` for a larger one, `InvalidInput` for what is no regular file, and those of reading.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::Error::from(io::ErrorKind::FileTooLarge)) } else { Ok(bytes) }
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
        let long = format!("server = 'a'\ntoken = '{}'", "t".repeat(MAX_WORD + 1));
        let huge = format!("server = 'a'\ntoken = 'b'\n#{}", "x".repeat(64 * 1024));
        let steering = "server = \"http://a\\u001b[2J\"\ntoken = 'b'";
        let two_lines = "server = 'http://a'\ntoken = \"b\\r\\nX-Other: 1\"";
        let cut = "server = 'http://a'\ntoken = 'b";
        for bad in ["", "server = 1", "server = 'a'\ntoken = 'b'\nmore = 1", "server = 'a'\ntoken = ''", cut, steering, two_lines, &long, &huge] {
            write_private(&path, bad.as_bytes()).unwrap();
            assert!(matches!(load(&path), Err(SessionError::Strange(_))), "{bad}");
        }
        assert!(parse(b"server = 'a'\ntoken = '\xff'").is_none() && parse(&[0; 100]).is_none());
        assert!(matches!(load(folder.path()), Err(SessionError::Io(..) | SessionError::Readable(_))), "a folder is no session");
    }
}
