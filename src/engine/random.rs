//! Randomness of the kernel, and the ids made of it.

use std::{fs::File, io, io::Read};

/// Bytes that nobody can guess.
///
/// # Errors
/// `/dev/urandom` can't be read.
pub fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut out = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut out)?;
    Ok(out)
}

/// What ids are made of; Modal's clients take an id only if all after its prefix is alphanumeric.
const ALPHABET: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// `prefix-` and `n` random letters and digits (22, the length of Modal's own ids, hold 131 bits).
///
/// # Errors
/// As [`bytes`].
pub fn id(prefix: &str, n: usize) -> io::Result<String> {
    let mut out = format!("{prefix}-");
    while out.len() < prefix.len() + 1 + n {
        // Bytes from 248 on would favour the first letters: 248 = 4 · 62.
        for byte in bytes::<32>()?.into_iter().filter(|b| *b < 248).take(prefix.len() + 1 + n - out.len()) {
            out.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_length_and_differ() {
        let made: std::collections::HashSet<_> = (0..100).map(|_| id("ap", 22).unwrap()).collect();
        assert_eq!(made.len(), 100);
        assert!(made.iter().all(|i| i.len() == 25 && i[3..].bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
