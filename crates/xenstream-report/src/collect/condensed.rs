//! A list that stays short, however much is put into it.

/// Something that lies between two offsets, and can be merged with what comes after it.
pub(crate) trait Span {
    /// Offset of its first byte.
    fn start(&self) -> u64;
    /// Offset after its last one.
    fn end(&self) -> u64;
    /// Takes in its successor.
    fn merge(&mut self, next: &Self);
}

/// A list of spans in stream order. When it is full, neighbours that lie closest together become one until three
/// quarters of it are left: large spans stay as they are, and many small ones are summed up. The last one is still
/// being added to and never merged.
#[derive(Clone, Debug)]
pub(crate) struct Condensed<T> {
    items: Vec<T>,
    limit: usize,
}

impl<T: Span> Condensed<T> {
    /// An empty list of at most this many, and at least four.
    pub(crate) fn new(limit: usize) -> Condensed<T> {
        Condensed { items: Vec::new(), limit: limit.max(4) }
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.items.last_mut()
    }

    /// Appends. A constant time on average, since each condensing makes room for a quarter of the list.
    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
        if self.items.len() > self.limit {
            self.condense();
        }
    }

    fn condense(&mut self) {
        let Some(last) = self.items.pop() else { return };
        let extent = |pair: &[T]| pair[1].end().saturating_sub(pair[0].start());
        let mut extents: Vec<u64> = self.items.windows(2).map(extent).collect();
        let surplus = self.items.len() + 1 - self.limit / 4 * 3;
        let mut ordered = extents.clone();
        let index = surplus.min(ordered.len()) - 1;
        let (_, threshold, _) = ordered.select_nth_unstable(index);
        let threshold = *threshold;
        let mut left = surplus;
        // The first has no neighbour in front of it.
        extents.insert(0, u64::MAX);
        let mut kept: Vec<T> = Vec::with_capacity(self.limit + 1);
        for (item, extent) in std::mem::take(&mut self.items).into_iter().zip(extents) {
            match kept.last_mut() {
                Some(front) if extent <= threshold && left > 0 => {
                    front.merge(&item);
                    left -= 1;
                }
                _ => kept.push(item),
            }
        }
        kept.push(last);
        self.items = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Piece(u64, u64, u64);

    impl Span for Piece {
        fn start(&self) -> u64 {
            self.0
        }
        fn end(&self) -> u64 {
            self.1
        }
        fn merge(&mut self, next: &Piece) {
            self.1 = next.1;
            self.2 += next.2;
        }
    }

    #[test]
    fn large_spans_outlive_small_ones() {
        let mut list = Condensed::new(8);
        for (start, length) in
            [(0, 1), (1, 1), (2, 1000), (1002, 1), (1003, 1), (1004, 1), (1005, 900), (1905, 1)]
        {
            list.push(Piece(start, start + length, 1));
        }
        assert_eq!(list.items().len(), 8);
        list.push(Piece(1906, 1907, 1));
        let expected = [
            Piece(0, 2, 2),
            Piece(2, 1002, 1),
            Piece(1002, 1005, 3),
            Piece(1005, 1905, 1),
            Piece(1905, 1906, 1),
            Piece(1906, 1907, 1),
        ];
        assert_eq!(list.items(), expected);
    }

    #[test]
    fn any_number_fits_and_nothing_is_lost() {
        for limit in [4, 5, 32, 64] {
            let mut list = Condensed::new(limit);
            for n in 0..10_000 {
                list.push(Piece(n * n, (n + 1) * (n + 1), 1));
                assert!(list.items().len() <= limit);
            }
            assert_eq!(list.items().iter().map(|piece| piece.2).sum::<u64>(), 10_000);
            assert!(list.items().windows(2).all(|pair| pair[0].1 == pair[1].0));
        }
    }

    #[test]
    fn spans_may_lie_about_where_they_are() {
        let mut list = Condensed::new(4);
        for n in 0..100 {
            list.push(Piece(if n % 2 == 0 { u64::MAX } else { 0 }, n, 1));
        }
        assert!(list.items().len() <= 4);
    }
}
