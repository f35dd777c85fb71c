//! What the fuzz targets share: the program, run in this process, and a server on loopback that answers it.

// The program, except for `main`.
#[path = "../../../src/cli/mod.rs"]
mod cli;
mod clock;
mod connect;
mod program;
mod server;

pub use connect::{Endpoint, honest_reply};
pub use program::{Ran, folder, is_binary, run};
pub use server::{Answer, Framing, Request, url};

use arbitrary::Arbitrary;

/// At most one change to a valid input. Positions count from the start and wrap around.
#[derive(Arbitrary, Clone, Debug)]
pub enum Change {
    Nothing,
    Cut { at: u16 },
    Insert { at: u16, bytes: Vec<u8> },
    Remove { at: u16, length: u8 },
    Repeat { at: u16, length: u8, times: u8 },
    Replace { at: u16, byte: u8 },
}

impl Change {
    /// Applies the change to bytes.
    pub fn apply(&self, input: &mut Vec<u8>) {
        let position = |at: u16| usize::from(at) % (input.len() + 1);
        let range = |at: u16, length: u8| {
            let start = position(at);
            start..(start + 1 + usize::from(length)).min(input.len())
        };
        match self {
            Self::Nothing => {}
            Self::Cut { at } => input.truncate(position(*at)),
            Self::Insert { at, bytes } => {
                let at = position(*at);
                input.splice(at..at, bytes.iter().copied());
            }
            Self::Remove { at, length } => {
                input.drain(range(*at, *length));
            }
            Self::Repeat { at, length, times } => {
                let range = range(*at, *length);
                let copies = input[range.clone()].repeat(usize::from(*times));
                input.splice(range.end..range.end, copies);
            }
            Self::Replace { at, byte } => {
                let at = position(*at);
                input.splice(at..(at + 1).min(input.len()), [*byte]);
            }
        }
    }

    /// Returns the changed text. Invalid UTF-8 becomes U+FFFD.
    pub fn of(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.apply(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Returns one of several, so that an input can name it by a number.
pub fn one_of<T: Copy>(choices: &[T], number: u8) -> T {
    choices[usize::from(number) % choices.len()]
}
