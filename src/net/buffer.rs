//! The fixed-size buffer of a live connection: bytes that have arrived and are not used yet.

/// A window of unused bytes in a block of fixed size.
///
/// It grows only where it is asked to, for something that must lie in one piece (a long head),
/// and shrinks back as soon as it is empty.
pub(crate) struct Buffer {
    block: Vec<u8>,
    start: usize,
    end: usize,
    size: usize,
}

impl Buffer {
    /// An empty buffer of `size` bytes.
    pub(crate) fn new(size: usize) -> Buffer {
        Buffer { block: vec![0; size], start: 0, end: 0, size }
    }

    /// No buffer at all: what an idle connection has.
    pub(crate) const NONE: Buffer = Buffer { block: Vec::new(), start: 0, end: 0, size: 0 };

    /// The unused bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// How many bytes it has when it has not grown.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Uses `count` bytes up.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "more was used than had arrived");
        if self.start >= self.end {
            self.clear();
        }
    }

    /// Forgets what is in it, and what it had grown by.
    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.block.len() > self.size {
            self.block.truncate(self.size);
            self.block.shrink_to_fit();
        }
    }

    /// Room for more, never empty: what is unused is moved to the front, and where that does not
    /// help the block doubles.
    #[inline]
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.end == self.block.len() {
            if self.start > 0 {
                self.block.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            } else {
                self.block.resize(self.block.len().max(256) * 2, 0);
            }
        }
        &mut self.block[self.end..]
    }

    /// `count` bytes were put into the room.
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.block.len(), "more arrived than there was room for");
    }

    /// Puts bytes behind the others.
    #[inline]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let end = self.end + bytes.len();
        match self.block.get_mut(self.end..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.end = end;
            }
            None => self.put_in_parts(bytes),
        }
    }

    /// Puts behind the others as many as there is room for as it is: how many those are.
    #[inline]
    pub(crate) fn put_what_fits(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.block.len() - self.end);
        self.put(&bytes[..count]);
        count
    }

    fn put_in_parts(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            self.filled(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_for_what_must_lie_in_one_piece_and_shrinks_back() {
        let mut buffer = Buffer::new(512);
        let text: Vec<u8> = (0..5000).map(|number| number as u8).collect();
        buffer.put(&text);
        assert_eq!(buffer.bytes(), text);
        buffer.consume(4999);
        assert_eq!(buffer.bytes(), &text[4999..]);
        buffer.consume(1);
        assert_eq!((buffer.bytes().len(), buffer.room().len()), (0, 512));
    }

    #[test]
    fn what_is_unused_moves_to_the_front_before_it_grows() {
        let mut buffer = Buffer::new(512);
        buffer.put(&[1; 512]);
        buffer.consume(500);
        assert_eq!(buffer.room().len(), 500);
        assert_eq!(buffer.bytes(), [1; 12]);
    }
}
