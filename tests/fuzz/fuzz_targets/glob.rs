//! Compares globs with their definition.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[path = "../../../src/cli/glob.rs"]
mod glob;

/// Few characters, so that most patterns match a part of most texts.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Symbol {
    Star,
    Question,
    A,
    B,
    Dot,
    Any(char),
}

fn text(symbols: &[Symbol]) -> String {
    let char = |symbol: &Symbol| match *symbol {
        Symbol::Star => '*',
        Symbol::Question => '?',
        Symbol::A => 'a',
        Symbol::B => 'b',
        Symbol::Dot => '.',
        Symbol::Any(c) => c,
    };
    symbols.iter().map(char).collect()
}

/// Matches by the definition: `matched[n]` says whether the pattern so far matches the first `n` characters.
fn plain(pattern: &str, text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut matched = vec![false; text.len() + 1];
    matched[0] = true;
    for symbol in pattern.chars() {
        let mut next = vec![false; text.len() + 1];
        for n in 0..=text.len() {
            next[n] = match symbol {
                '*' => matched[..=n].contains(&true),
                symbol => n > 0 && matched[n - 1] && (symbol == '?' || symbol == text[n - 1]),
            };
        }
        matched = next;
    }
    matched[text.len()]
}

fuzz_target!(|input: (Vec<Symbol>, Vec<Symbol>)| {
    let (pattern, text) = (text(&input.0), text(&input.1));
    assert_eq!(glob::matches(&pattern, &text), plain(&pattern, &text), "{pattern:?} on {text:?}");
});
