//! Checks that nothing in text from a server can control a terminal or hide what a person reads.

#![no_main]

use arbitrary::Arbitrary;
use connect_cache_fuzz::one_of;
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/cli/escape.rs"]
mod escape;

#[derive(Arbitrary, Debug)]
enum Piece {
    Plain(String),
    Escape { introducer: bool, sequence: Vec<u8> },
    Near(u8, i8),
    Any(char),
}

/// Characters with neighbors that are harmless.
const EDGES: [char; 12] = [
    '\0', '\u{1f}', '\u{7f}', '\u{9f}', '\u{ad}', '\u{61c}', '\u{180e}', '\u{200b}', '\u{202e}', '\u{2060}',
    '\u{206f}', '\u{feff}',
];

fn text(pieces: &[Piece]) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Escape { introducer, sequence } => {
                text.push(if *introducer { '\u{9b}' } else { '\x1b' });
                text.push_str(&String::from_utf8_lossy(sequence));
            }
            Piece::Near(edge, distance) => {
                let edge = u32::from(one_of(&EDGES, *edge));
                text.extend(char::from_u32(edge.wrapping_add_signed(i32::from(*distance))));
            }
            Piece::Any(c) => text.push(*c),
        }
    }
    text
}

/// Reports whether a character controls the terminal, reorders text, has no width or starts a line.
fn is_deceptive(c: char) -> bool {
    let ranges = [
        '\0'..='\u{8}',
        '\n'..='\u{1f}',
        '\u{7f}'..='\u{9f}',
        '\u{200b}'..='\u{200f}',
        '\u{2028}'..='\u{202e}',
        '\u{2060}'..='\u{206f}',
    ];
    ranges.iter().any(|range| range.contains(&c)) || "\u{ad}\u{61c}\u{180e}\u{feff}".contains(c)
}

fuzz_target!(|pieces: Vec<Piece>| {
    let text = text(&pieces);
    let shown = escape::escape(&text);
    assert!(!shown.contains(is_deceptive), "{text:?}: {shown:?}");
    let expected: String = text
        .chars()
        .flat_map(|c| match is_deceptive(c) {
            true => c.escape_default().collect::<Vec<_>>(),
            false => vec![c],
        })
        .collect();
    assert_eq!(shown, expected, "{text:?}");
    assert_eq!(escape::escape(&shown), shown, "{text:?}");
});
