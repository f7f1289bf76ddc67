//! The server's key files: made once, readable by their owner alone, never printed.
//!
//! Contract: each file holds 32 random bytes in hexadecimal. A file that others can read is refused rather than used.
//! Knows nothing about what the keys protect.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::ConfigError;
use crate::base::digest::hex;
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
    /// Makes the nonces of statements.
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

/// Writes a new file that only its owner can read; refuses to overwrite one, and leaves none behind where writing fails.
pub fn write_private(file: &Path, text: &str) -> Result<(), ConfigError> {
    Reserved::new(file)?.fill(text).map(drop)
}

fn new_private(file: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// A new file for a secret that is still to come: made before there is a secret to lose, written through the handle that made it, and removed
/// when it is dropped unfilled.
pub struct Reserved {
    path: PathBuf,
    file: std::fs::File,
    filled: bool,
}

impl Reserved {
    /// Makes the file, readable by its owner alone; refuses one that is there.
    ///
    /// # Errors
    /// When it is there already or can't be made.
    pub fn new(path: &Path) -> Result<Self, ConfigError> {
        let file = new_private(path).map_err(|e| ConfigError::about(path, format!("can't be written: {e}")))?;
        Ok(Self { path: path.to_owned(), file, filled: false })
    }

    /// Writes the secret, and gives the file's name. Where that fails nothing of it stays.
    ///
    /// # Errors
    /// When it can't be written or reach the disk.
    pub fn fill(mut self, text: &str) -> Result<PathBuf, ConfigError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|e| ConfigError::about(&self.path, format!("can't be written: {e}")))?;
        self.filled = true;
        Ok(self.path.clone())
    }

    /// Whether the name still leads to the file that was made: what somebody else put there is not ours to remove.
    fn still_there(&self) -> bool {
        let (Ok(named), Ok(made)) = (std::fs::symlink_metadata(&self.path), self.file.metadata()) else { return false };
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            (named.dev(), named.ino()) == (made.dev(), made.ino())
        }
        #[cfg(not(unix))]
        {
            named.is_file() && made.is_file()
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.filled {
            // Part of a secret may stand in it already.
            let _ = self.file.set_len(0);
            if self.still_there() {
                let _ = std::fs::remove_file(&self.path);
            }
        }
    }
}

fn create(file: &Path, random: &dyn Random) -> Result<Key, ConfigError> {
    let mut key = Key::default();
    random.fill(key.as_mut());
    let text: Zeroizing<String> = Zeroizing::new(hex(key.as_ref()) + "\n");
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
