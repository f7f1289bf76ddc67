//! The server's key files: made once, readable by their owner alone, never printed.
//!
//! Contract: each file holds 32 random bytes in hexadecimal. A file that others can read is refused rather than used.
//! Knows nothing about what the keys protect.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ConfigError;
use crate::base::ports::Random;

/// Bytes in a key.
pub const LENGTH: usize = 32;

/// A key in memory, wiped when it is dropped.
pub type Key = Zeroizing<[u8; LENGTH]>;

/// The keys of one server.
pub struct ServerKeys {
    /// Wraps what encrypts texts at rest.
    pub master: Key,
    /// Derives codes, links and words for subjects.
    pub codes: Key,
    /// Signs nonces, cursors and tokens' digests.
    pub nonces: Key,
}

const NAMES: [&str; 3] = ["master.key", "codes.key", "nonces.key"];

impl ServerKeys {
    /// Reads all keys of a folder.
    pub fn load(folder: &Path) -> Result<Self, ConfigError> {
        let [master, codes, nonces] = NAMES.map(|name| load(&folder.join(name)));
        Ok(Self { master: master?, codes: codes?, nonces: nonces? })
    }

    /// Makes all keys in a folder (mode 0700), refusing to overwrite one.
    pub fn create(folder: &Path, random: &dyn Random) -> Result<Self, ConfigError> {
        make_folder(folder)?;
        let [master, codes, nonces] = NAMES.map(|name| create(&folder.join(name), random));
        Ok(Self { master: master?, codes: codes?, nonces: nonces? })
    }

    /// The files of a folder, for whoever reports or copies them.
    pub fn files(folder: &Path) -> [PathBuf; 3] {
        NAMES.map(|name| folder.join(name))
    }
}

fn make_folder(folder: &Path) -> Result<(), ConfigError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|e| ConfigError::about(folder, format!("can't be made: {e}")))
}

/// Writes a new file that only its owner can read; refuses to overwrite one.
pub fn write_private(file: &Path, text: &str) -> Result<(), ConfigError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(file).and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()));
    written.map_err(|e| ConfigError::about(file, format!("can't be written: {e}")))
}

/// Makes the file that a secret is going to be written to, before there is a secret to lose; refuses one that is there.
pub fn reserve_private(file: &Path) -> Result<(), ConfigError> {
    write_private(file, "")
}

/// Writes the secret into the file that [`reserve_private`] made.
pub fn fill_private(file: &Path, text: &str) -> Result<(), ConfigError> {
    let written = std::fs::OpenOptions::new().write(true).truncate(true).open(file);
    let written = written.and_then(|mut f| f.write_all(text.as_bytes()).and_then(|()| f.sync_all()));
    written.map_err(|e| ConfigError::about(file, format!("can't be written: {e}")))
}

fn create(file: &Path, random: &dyn Random) -> Result<Key, ConfigError> {
    let mut key = Key::default();
    random.fill(key.as_mut());
    let text: Zeroizing<String> = Zeroizing::new(key.iter().fold(String::new(), |text, b| format!("{text}{b:02x}")) + "\n");
    write_private(file, &text)?;
    Ok(key)
}

/// Reads a file that holds a secret: one line, at most 4,096 bytes, and not readable by others.
pub fn read_private(file: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let meta = std::fs::metadata(file).map_err(|e| ConfigError::about(file, format!("can't be read: {e}")))?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&meta) & 0o077 != 0 {
        return Err(ConfigError::about(file, "can be read by others; make it yours alone (chmod 600)"));
    }
    if meta.len() > 4096 {
        return Err(ConfigError::about(file, "is larger than 4096 bytes"));
    }
    let text = std::fs::read_to_string(file).map_err(|e| ConfigError::about(file, format!("can't be read: {e}")))?;
    let text = Zeroizing::new(text);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn load(file: &Path) -> Result<Key, ConfigError> {
    let text = read_private(file)?;
    let mut key = Key::default();
    let bytes = text.as_bytes();
    let digits = bytes.len() == 2 * LENGTH && bytes.iter().all(u8::is_ascii_hexdigit);
    if !digits {
        return Err(ConfigError::about(file, "does not hold a key of 64 hexadecimal digits"));
    }
    for (i, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap_or_default();
    }
    Ok(key)
}
