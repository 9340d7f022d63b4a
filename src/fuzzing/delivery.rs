//! How the bytes of an input arrive: whole, byte by byte, split, in pieces. What they are is not known here.

/// How the bytes of an input arrive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delivery {
    Whole,
    ByByte,
    /// In two parts.
    Split(usize),
    /// In pieces of 1 to `bytes_max` bytes.
    Pieces {
        seed: u64,
        bytes_max: usize,
    },
}

impl Delivery {
    /// Returns how many bytes have arrived after the next read, when `arrived` have before.
    pub(super) fn next(&mut self, arrived: usize, length: usize) -> usize {
        match self {
            Delivery::Whole => length,
            Delivery::ByByte => (arrived + 1).min(length),
            Delivery::Split(at) if arrived < *at => (*at).min(length),
            Delivery::Split(_) => length,
            Delivery::Pieces { seed, bytes_max } => {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (arrived + 1 + (*seed >> 33) as usize % *bytes_max).min(length)
            }
        }
    }
}

/// The deliveries to test; they depend on nothing but the bytes.
pub(super) fn deliveries(bytes: &[u8]) -> Vec<Delivery> {
    let seed = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum: u64, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut deliveries =
        vec![Delivery::ByByte, Delivery::Pieces { seed, bytes_max: 7 }, Delivery::Pieces { seed, bytes_max: 200 }];
    match bytes.len() {
        0 => {}
        length @ 1..=48 => deliveries.extend((1..length).map(Delivery::Split)),
        length => deliveries.push(Delivery::Split(1 + (seed >> 17) as usize % (length - 1))),
    }
    deliveries
}
