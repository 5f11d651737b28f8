//! Buffers that come back by themselves: a pool of `Arc`s, each free once nobody else holds it.

use std::sync::Arc;

/// A bounded pool of shared buffers. Taking one allocates only while the pool is growing.
#[derive(Debug)]
pub struct Pool<T> {
    items: Vec<Arc<T>>,
    limit: usize,
}

impl<T> Pool<T> {
    /// A pool that holds at most `limit` buffers.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            items: Vec::with_capacity(limit),
            limit,
        }
    }

    /// Fills a free buffer and shares it; `None` when all `limit` buffers are in use.
    ///
    /// # Errors
    /// Whatever `make` (a new buffer) or `fill` (its content) returns; the buffer stays free then.
    pub fn fill<E>(
        &mut self,
        make: impl FnOnce() -> Result<T, E>,
        fill: impl FnOnce(&mut T) -> Result<(), E>,
    ) -> Result<Option<Arc<T>>, E> {
        let free = self
            .items
            .iter_mut()
            .position(|item| Arc::get_mut(item).is_some());
        let position = match free {
            Some(position) => position,
            None if self.items.len() < self.limit => {
                self.items.push(Arc::new(make()?));
                self.items.len() - 1
            }
            None => return Ok(None),
        };
        let item = &mut self.items[position];
        let Some(buffer) = Arc::get_mut(item) else {
            return Ok(None);
        };
        fill(buffer)?;
        Ok(Some(Arc::clone(item)))
    }

    /// Forgets every buffer, for a change of size; those in use are freed by their holders.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// Buffers made so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether no buffer was made yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn take(pool: &mut Pool<Vec<u8>>) -> Option<Arc<Vec<u8>>> {
        let made: Result<_, Infallible> = pool.fill(|| Ok(Vec::new()), |_| Ok(()));
        made.unwrap()
    }

    #[test]
    fn a_buffer_returns_when_its_last_holder_lets_go() {
        let mut pool = Pool::new(2);
        let first = take(&mut pool).unwrap();
        let second = take(&mut pool).unwrap();
        assert!(take(&mut pool).is_none(), "both are held");
        drop(first);
        let third = take(&mut pool).unwrap();
        assert!(!Arc::ptr_eq(&second, &third));
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn a_failed_fill_leaves_the_buffer_free() {
        let mut pool: Pool<u8> = Pool::new(1);
        assert_eq!(pool.fill(|| Ok(0), |_| Err("no")), Err("no"));
        assert!(
            pool.fill(|| Ok::<_, &str>(0), |_| Ok(()))
                .unwrap()
                .is_some()
        );
        assert_eq!(pool.len(), 1);
    }
}
