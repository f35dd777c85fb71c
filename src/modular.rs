//! The arithmetic modulo odd numbers that checks a key pair. It does not take constant time: it runs on the user's own
//! key, before any connection.
//!
//! A number is a slice of 64-bit digits, the least significant one first, as many as its modulus has.

/// Reads a big-endian number that has at most this number of digits.
pub(crate) fn number(bytes: &[u8], digits: usize) -> Vec<u64> {
    let mut number = vec![0; digits];
    for (i, &byte) in bytes.iter().rev().enumerate() {
        number[i / 8] |= u64::from(byte) << (i % 8 * 8);
    }
    number
}

/// Returns a - b, and whether that is negative.
pub(crate) fn difference(a: &[u64], b: &[u64]) -> (Vec<u64>, bool) {
    let mut borrow = false;
    let digits = a.iter().zip(b).map(|(&a, &b)| {
        let (digit, first) = a.overflowing_sub(b);
        let (digit, second) = digit.overflowing_sub(u64::from(borrow));
        borrow = first | second;
        digit
    });
    (digits.collect(), borrow)
}

/// Returns a number below 2 m, of which `carry` is the digit above the others, modulo m.
fn reduced(number: Vec<u64>, carry: u64, m: &[u64]) -> Vec<u64> {
    match difference(&number, m) {
        (_, true) if carry == 0 => number,
        (reduced, _) => reduced,
    }
}

/// Returns a + b modulo m.
pub(crate) fn add(a: &[u64], b: &[u64], m: &[u64]) -> Vec<u64> {
    let mut carry = 0;
    let mut sum = Vec::new();
    for (&a, &b) in a.iter().zip(b) {
        let digit = u128::from(a) + u128::from(b) + carry;
        sum.push(digit as u64);
        carry = digit >> 64;
    }
    reduced(sum, carry as u64, m)
}

/// Returns a - b modulo m.
pub(crate) fn subtract(a: &[u64], b: &[u64], m: &[u64]) -> Vec<u64> {
    add(a, &difference(m, b).0, m)
}

/// Returns a × b / R modulo m, where R is 2 to the power of the bits in m's digits (Montgomery).
pub(crate) fn multiply(a: &[u64], b: &[u64], m: &[u64]) -> Vec<u64> {
    // m is its own inverse in the lowest three bits. Each step of Newton's method doubles these, up to 64 bits.
    let inverse = (0..5)
        .fold(m[0], |inverse: u64, _| inverse.wrapping_mul(2u64.wrapping_sub(m[0].wrapping_mul(inverse))));
    let mut product = vec![0u64; m.len()];
    let mut top = 0;
    for &digit in a {
        let low = product[0].wrapping_add(digit.wrapping_mul(b[0]));
        // Adding this multiple of m makes the lowest digit zero, so it can be dropped.
        let multiple = low.wrapping_mul(inverse.wrapping_neg());
        let (mut carry, mut carry_of_m) = (0, 0);
        for i in 0..m.len() {
            let sum = u128::from(digit) * u128::from(b[i]) + u128::from(product[i]) + carry;
            carry = sum >> 64;
            let sum = u128::from(multiple) * u128::from(m[i]) + u128::from(sum as u64) + carry_of_m;
            carry_of_m = sum >> 64;
            if i > 0 {
                product[i - 1] = sum as u64;
            }
        }
        let sum = carry + carry_of_m + u128::from(top);
        product[m.len() - 1] = sum as u64;
        top = (sum >> 64) as u64;
    }
    reduced(product, top, m)
}
