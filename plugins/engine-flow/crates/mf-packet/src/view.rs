//! A piece of a frame: the bytes that were captured, and how many there were on the wire.

/// Captured bytes and the wire length from the same starting point; `wire >= cap.len()` except behind padding, which
/// [`View::limit`] cuts off. A capture with a short snap length has fewer captured bytes than wire bytes: that is normal.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The captured bytes.
    pub cap: &'a [u8],
    /// Bytes on the wire from here to the end of this layer.
    pub wire: u32,
}

impl<'a> View<'a> {
    /// A view of a whole frame.
    #[inline]
    pub fn new(cap: &'a [u8], wire: u32) -> Self {
        Self {
            cap,
            wire: wire.max(cap.len() as u32),
        }
    }

    /// The first `N` captured bytes, none when fewer were captured.
    #[inline]
    pub fn head<const N: usize>(&self) -> Option<&'a [u8; N]> {
        self.cap.first_chunk::<N>()
    }

    /// This view without its first `n` bytes, none when they are not all on the wire.
    #[inline]
    pub fn skip(&self, n: u32) -> Option<Self> {
        let wire = self.wire.checked_sub(n)?;
        let cap = self.cap.get(n as usize..).unwrap_or(&[]);
        Some(Self { cap, wire })
    }

    /// This view cut to `wire` bytes (a length field of a header), so that Ethernet padding does not count.
    #[inline]
    pub fn limit(&self, wire: u32) -> Self {
        if wire >= self.wire {
            return *self;
        }
        let cap = self.cap.get(..wire as usize).unwrap_or(self.cap);
        Self { cap, wire }
    }

    /// True when the capture holds fewer bytes than the wire did.
    #[inline]
    pub fn truncated(&self) -> bool {
        (self.cap.len() as u32) < self.wire
    }
}
