//! What is true of the caches that a run names, and the rules about requests that it breaks.

use crate::api::RuntimeCache;
use crate::deletion::simulation::incident::{Asked, Meaning, Odd};
use crate::deletion::simulation::oracle::{Command, Deletion, Presence, Server, Shown, Trouble, Truth};
use crate::deletion::simulation::world::{Missing, Todo, World};

/// More requests than any run needs.
const MOST_REQUESTS: usize = 300;

/// Watches a server and a run.
pub(super) struct Witness {
    world: World,
    /// What is true of each named cache.
    facts: Vec<Facts>,
    /// What concerns all of them.
    trouble: Trouble,
    /// Whether a good reply of Connect has arrived.
    pub(super) connect_answered: bool,
    /// Whether the run knows that a dry run has started a deletion.
    dry_run_deletes: bool,
    /// Whether the run knows that the key was refused for a DELETE.
    key_refused: bool,
    /// The numbers of requests, and the rules that they broke.
    pub(super) broken: Vec<(usize, &'static str)>,
}

#[derive(Clone, Copy, Default)]
struct Facts {
    presence: Presence,
    deletion: Deletion,
    trouble: Trouble,
    /// Whether the run has sent a DELETE, or tried to.
    has_begun: bool,
    /// Whether the run knows that a DELETE was accepted, or refused for good.
    is_settled: bool,
    /// Whether the last DELETE is in doubt, and no list or dry run has answered since.
    is_open: bool,
    /// Whether a list has shown a namesake.
    had_namesake: bool,
}

/// A request, as far as it concerns the named caches.
#[derive(Clone, Copy)]
pub(super) struct Concern {
    pub(super) number: usize,
    pub(super) asked: Asked,
    /// The number of the named cache that it is about.
    pub(super) named: Option<usize>,
}

/// A change of another client.
#[derive(Default)]
pub(super) struct Change {
    pub(super) deleted: Option<RuntimeCache>,
    pub(super) created: Option<RuntimeCache>,
}

impl Witness {
    pub(super) fn new(world: &World, named: usize) -> Self {
        Self {
            world: *world,
            facts: vec![Facts::default(); named],
            trouble: Trouble::default(),
            connect_answered: false,
            dry_run_deletes: false,
            key_refused: false,
            broken: Vec::new(),
        }
    }

    /// Keeps whether a named cache is there now.
    pub(super) fn observe(&mut self, named: usize, is_there: bool) {
        let facts = &mut self.facts[named];
        facts.presence.ever |= is_there;
        facts.presence.missing |= !is_there;
        facts.presence.missing_after_delete |= !is_there && facts.deletion.sent;
        facts.presence.lately |= is_there;
    }

    /// Keeps which rows a list has shown to the run.
    pub(super) fn listed(&mut self, rows: &[RuntimeCache], caches: &[RuntimeCache]) {
        for (facts, cache) in self.facts.iter_mut().zip(caches) {
            facts.presence.listed |= rows.iter().any(|row| row.is_row_of(cache));
            facts.had_namesake |= rows.iter().any(|row| row.is_namesake_of(cache));
        }
    }

    /// Keeps that the list has the row of a named cache which was there before the run.
    pub(super) fn was_there(&mut self, named: usize) {
        self.facts[named].presence.ever = true;
    }

    /// Keeps that the cache is gone that a DELETE was for, even if others have its name.
    pub(super) fn is_gone(&mut self, named: usize) {
        self.facts[named].presence.missing_after_delete = true;
    }

    /// Keeps that something happened on the server that changes results.
    pub(super) fn disturbed(&mut self) {
        self.trouble.any = true;
    }

    /// Keeps what another client has changed.
    pub(super) fn changed(&mut self, change: &Change, named: &[RuntimeCache], own: &[bool]) {
        self.trouble.any = true;
        for (at, cache) in named.iter().enumerate() {
            let trouble = &mut self.facts[at].trouble;
            if let Some(deleted) = &change.deleted {
                trouble.namesake_deleted |= !own[at] && deleted.is_namesake_of(cache);
            }
            if let Some(created) = &change.created {
                trouble.created |= created.has_version_of(cache) && created.is_local() == cache.is_local();
            }
        }
    }

    /// Checks a request that is about to be handled, at or after the timeout or not.
    pub(super) fn requested(&mut self, request: &Concern, is_over: bool) {
        let facts = request.named.map(|named| self.facts[named]);
        let is_delete = request.asked == Asked::Delete;
        for (is_broken, rule) in [
            (request.number >= MOST_REQUESTS, "too many requests"),
            (
                request.asked == Asked::DryRun && self.dry_run_deletes,
                "a dry run after one that started a deletion",
            ),
            (is_delete && facts.is_none(), "a DELETE of another cache"),
            (
                is_delete && facts.is_some_and(|facts| facts.is_settled),
                "a DELETE after one that was accepted or refused",
            ),
            (
                is_delete && facts.is_some_and(|facts| facts.is_open),
                "a DELETE in doubt that is blindly repeated",
            ),
            (
                // The rows of a purge are deleted without a question before.
                is_delete
                    && self.key_refused
                    && self.world.todo == Todo::Purge
                    && facts.is_some_and(|facts| !facts.has_begun),
                "a deletion that begins after the key was refused",
            ),
            (is_delete && is_over, "a DELETE after the timeout"),
            (is_delete && self.world.todo == Todo::DryRun, "a DELETE in a dry run"),
        ] {
            if is_broken {
                self.broken.push((request.number, rule));
            }
        }
        match (request.asked, request.named) {
            (Asked::List, _) => self.facts.iter_mut().for_each(|facts| facts.presence.lately = false),
            (Asked::DryRun, Some(named)) => self.facts[named].presence.lately = false,
            _ => {}
        }
    }

    /// Keeps that the run sends a DELETE, or tries to.
    pub(super) fn deletes(&mut self, named: usize, is_sent: bool, caches: &[RuntimeCache]) {
        for (at, facts) in self.facts.iter_mut().enumerate() {
            if at == named {
                facts.has_begun = true;
                facts.deletion.sent |= is_sent;
            } else {
                facts.deletion.of_namesake |= caches[at].has_version_of(&caches[named]);
            }
        }
    }

    /// Keeps that a task started to delete a named cache.
    pub(super) fn started(&mut self, named: usize) {
        self.facts[named].deletion.started = true;
    }

    /// Keeps that this run's task has deleted a named cache.
    pub(super) fn took_effect(&mut self, named: usize) {
        self.facts[named].deletion.took_effect = true;
    }

    /// Keeps what a good reply has shown. A poll shows the state of a task.
    pub(super) fn answered(&mut self, request: &Concern, shown: Option<Shown>) {
        self.connect_answered = true;
        match (request.asked, request.named) {
            (Asked::List, _) => self.facts.iter_mut().for_each(|facts| facts.is_open = false),
            (Asked::DryRun, Some(named)) => self.facts[named].is_open = false,
            (Asked::Delete, Some(named)) => self.facts[named].is_settled = true,
            (Asked::Poll, Some(named)) => {
                let last = &mut self.facts[named].deletion.shown;
                *last = shown.unwrap_or(*last);
            }
            _ => {}
        }
    }

    /// Keeps what an odd reply prevents. `helps` says whether a good one follows if the run asks again.
    pub(super) fn got_odd(&mut self, request: &Concern, odd: Odd, helps: bool) {
        self.dry_run_deletes |= odd == Odd::Started;
        let meaning = odd.meaning(request.asked, self.connect_answered);
        let is_harmless = meaning == Meaning::AskedAgain && helps;
        if is_harmless || request.asked == Asked::Settings {
            return;
        }
        let concerns_all = odd.denies() || odd == Odd::Started;
        let trouble = match request.named {
            Some(named) if !concerns_all => &mut self.facts[named].trouble,
            _ => &mut self.trouble,
        };
        trouble.any = true;
        trouble.unanswered |= meaning == Meaning::Refused || !helps;
        if let (Asked::Delete, Some(named)) = (request.asked, request.named) {
            let facts = &mut self.facts[named];
            match meaning {
                Meaning::AskedAgain => {}
                Meaning::Refused => {
                    facts.is_settled = true;
                    self.key_refused |= odd.denies() && !facts.trouble.in_doubt;
                }
                Meaning::InDoubt => (facts.trouble.in_doubt, facts.is_open) = (true, true),
            }
        }
    }

    /// Returns what is true now of a named cache.
    pub(super) fn truth(&self, named: usize, timed_out: bool) -> Truth {
        let Facts { presence, deletion, trouble, had_namesake, .. } = self.facts[named];
        let all = self.trouble;
        Truth {
            command: match self.world.todo {
                Todo::DryRun => Command::DryRun,
                Todo::NoWait => Command::NoWait,
                Todo::Delete | Todo::Purge | Todo::PurgeFrom => Command::Delete,
            },
            ignores_missing: false,
            presence,
            deletion,
            trouble: Trouble {
                any: trouble.any || all.any || timed_out,
                unanswered: trouble.unanswered || all.unanswered,
                timed_out,
                ..trouble
            },
            server: Server {
                missing_succeeds: self.world.kind.missing == Missing::TaskSucceeds,
                hides_cache: !self.world.kind.tells && had_namesake && !presence.listed,
            },
        }
    }
}
