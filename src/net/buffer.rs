//! The buffer of a connection in use: a request head before it is sent, then the bytes that have arrived
//! and are not consumed. What they mean is not known here, nor where they come from.

/// A window of unconsumed bytes in a block of fixed size.
///
/// It grows only when more room is asked for than there is, since a head must be in one piece, and shrinks
/// back as soon as it is empty.
pub(crate) struct Buffer {
    block: Vec<u8>,
    start: usize,
    end: usize,
    /// The length of the block when it has not grown.
    size: usize,
}

impl Buffer {
    /// An empty buffer of `size` bytes.
    pub(crate) fn new(size: usize) -> Buffer {
        Buffer { block: vec![0; size], start: 0, end: 0, size }
    }

    /// No buffer at all, as an idle connection has.
    pub(crate) const NONE: Buffer = Buffer { block: Vec::new(), start: 0, end: 0, size: 0 };

    /// Returns the unconsumed bytes.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    /// Returns how many bytes it holds when it has not grown.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Drops `count` bytes from the front.
    #[inline]
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "more was consumed than had arrived");
        if self.start >= self.end {
            self.clear();
        }
    }

    /// Drops all bytes, and the room that it had grown by.
    #[inline]
    pub(crate) fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
        if self.block.len() > self.size {
            self.block.truncate(self.size);
            self.block.shrink_to_fit();
        }
    }

    /// Returns room for more, which is never empty: unconsumed bytes are moved to the front, and if there
    /// is nothing to gain by that the block doubles.
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

    /// Adds the first `count` bytes of the room.
    #[inline]
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.block.len(), "more arrived than there was room for");
    }

    /// Appends bytes.
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

    /// Appends as many bytes as there is room for without growing. Returns how many those are.
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
    fn it_grows_for_what_must_be_in_one_piece_and_shrinks_back() {
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
    fn unconsumed_bytes_move_to_the_front_before_it_grows() {
        let mut buffer = Buffer::new(512);
        buffer.put(&[1; 512]);
        buffer.consume(500);
        assert_eq!(buffer.room().len(), 500);
        assert_eq!(buffer.bytes(), [1; 12]);
    }
}
