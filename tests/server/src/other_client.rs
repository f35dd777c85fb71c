//! Another client, which creates or deletes caches while the program runs.

use crate::stored::Stored;
use crate::{Cache, Endpoint};

/// Another client, which creates or deletes one cache at the moment of a request.
///
/// ```
/// use connect_test_server::{Endpoint, OtherClient, Server};
/// let server = Server::builder().caches(["R 4.3.0 Local"]).start();
/// // The other client is faster than the first DELETE, and creates the cache again after the second poll.
/// server.other_client(OtherClient::deletes("R 4.3.0 Local").before(Endpoint::Delete));
/// server.other_client(OtherClient::creates("R 4.3.0 Local").after(Endpoint::Task).skip(1));
/// ```
#[derive(Clone, Debug)]
#[must_use = "another client does nothing on its own"]
pub struct OtherClient {
    change: Change,
    moment: Moment,
    on: Endpoint,
    skip: usize,
}

#[derive(Clone, Debug)]
enum Change {
    Create(Cache),
    Delete(Cache),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moment {
    /// When the server has read the request.
    Before,
    /// When the server knows its reply, and before it sends it.
    After,
}

impl OtherClient {
    /// Returns a client that deletes a cache at once, by default before the next DELETE.
    pub fn deletes(cache: impl Into<Cache>) -> OtherClient {
        OtherClient::changes(Change::Delete(cache.into()))
    }

    /// Returns a client that creates a cache, by default before the next DELETE.
    pub fn creates(cache: impl Into<Cache>) -> OtherClient {
        OtherClient::changes(Change::Create(cache.into()))
    }

    fn changes(change: Change) -> OtherClient {
        OtherClient { change, moment: Moment::Before, on: Endpoint::Delete, skip: 0 }
    }

    /// Does so before the next request to an endpoint is answered.
    pub fn before(self, on: Endpoint) -> OtherClient {
        OtherClient { moment: Moment::Before, on, ..self }
    }

    /// Does so after the next request to an endpoint was answered, and before the client has the reply.
    pub fn after(self, on: Endpoint) -> OtherClient {
        OtherClient { moment: Moment::After, on, ..self }
    }

    /// Skips `n` requests to the endpoint first. Requests count from the time when the client was added.
    pub fn skip(self, n: usize) -> OtherClient {
        OtherClient { skip: n, ..self }
    }

    /// Changes the caches.
    pub(crate) fn act(self, caches: &mut Stored) {
        match self.change {
            Change::Create(cache) => caches.add(cache),
            Change::Delete(cache) => caches.remove(&cache),
        }
    }
}

/// Counts a request, and returns the clients that are due before and after its reply.
pub(crate) fn due(clients: &mut Vec<OtherClient>, on: Endpoint) -> (Vec<OtherClient>, Vec<OtherClient>) {
    let all = std::mem::take(clients).into_iter();
    let (due, mut others): (Vec<_>, Vec<_>) = all.partition(|client| client.on == on && client.skip == 0);
    others.iter_mut().filter(|client| client.on == on).for_each(|client| client.skip -= 1);
    *clients = others;
    due.into_iter().partition(|client| client.moment == Moment::Before)
}
