//! The incidents: what can go wrong at a request.

use std::fmt;

use crate::deletion::simulation::world::World;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    List,
    Delete,
    DryRun,
    Poll,
    /// The server's settings, to find out whether a gateway refuses only DELETE requests. Its reply changes no claim.
    Settings,
}

/// An incident at the request of this number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) at: usize,
    pub(super) incident: Incident,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incident {
    /// The reply is another one, and the request has no effect.
    Reply(Odd),
    /// The reply is another one, but the request has its effect.
    AfterEffect(Odd),
    /// The DELETE has its effect, but no reply arrives, and all later DELETEs get this reply.
    DoubtThen(Odd),
    /// This request and the next two are refused: a limit for the rate of requests.
    Limit(Odd),
    /// This request and all later ones.
    Outage(Odd),
    /// This request and all later ones to the same endpoint.
    Blocked(Odd),
    /// The list is as it was at the start.
    StaleList,
    /// Another client does this just before the request.
    Client(Act),
    /// The task that the DELETE starts ends so.
    Task(Fate),
    /// The server restarts before the request: no task is known any more, and none continues.
    Restart,
}

/// What another client does to a cache that the run names, by its number, or to others like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Delete(usize),
    Create(usize),
    DeleteNamesake(usize),
    CreateNamesake(usize),
    /// Creates an image whose row equals that of the cache.
    CreateEqualRow(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Deletes the cache when it ends. If it is gone, it fails or succeeds as the kind of the server says.
    Ordinary,
    /// Fails at once, without effect.
    FailsEarly,
    /// Fails after it has deleted the cache.
    FailsLate,
    /// Ends with code 0 and an error, without effect.
    Error,
    /// Ends with code 0 and an error after it has deleted the cache.
    ErrorLate,
    /// Deletes the cache at once, and runs on.
    DeletesEarly,
    /// Takes half a minute more.
    Slow,
    /// Deletes the cache, but cannot be found by polls.
    Lost,
    /// Ends without effect, and cannot be found by polls.
    Dead,
}

/// A reply that is not the expected one, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Odd {
    /// No connection could be made.
    NotSent,
    /// The kept connection was found closed before anything was sent.
    Closed,
    /// The connection ends before the reply.
    Lost,
    /// The same at once on a kept connection, which the server may just have closed.
    LostReused,
    /// No reply within the limit.
    Late,
    NotHttp,
    /// A page of something in front of Connect.
    Page(u16),
    /// Connect's error object.
    Connect(u16, i64),
    /// 429, with `Retry-After` in seconds.
    Busy(u64),
    /// 200 without a body.
    Empty,
    /// 200 with a page.
    Html,
    /// Half of the expected body, framed as if it were whole.
    CutJson,
    /// Half of the expected body, without a length.
    CutUnframed,
    /// The expected reply, but about another cache or task.
    Other,
    /// The expected reply to a DELETE without its task.
    NoTask,
    /// The reply of a dry run that starts a deletion.
    Started,
}

/// An odd reply to one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oddity {
    pub(super) odd: Odd,
    /// Whether the request has its effect nevertheless.
    pub(super) has_effect: bool,
    /// Whether the same request gets the same reply if it is sent again.
    pub(super) is_lasting: bool,
}

/// What an odd reply means for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It was not sent, or not processed, so that it is sent again.
    AskedAgain,
    /// It was refused for good, or not sent for good.
    Refused,
    /// It may have had its effect.
    InDoubt,
}

use Odd::{
    Busy, Closed, Connect, CutJson, CutUnframed, Empty, Html, Late, Lost, LostReused, NoTask, NotHttp,
    NotSent, Other, Page, Started,
};

/// Odd replies to any request. Those that prove that a request had no effect are `REFUSALS`.
const UNANSWERED: &[Odd] = &[
    Lost,
    LostReused,
    Late,
    NotHttp,
    Page(408),
    Connect(500, 1),
    Page(502),
    Page(503),
    Page(504),
    Page(520),
    Empty,
    Html,
    CutJson,
    CutUnframed,
];
const REFUSALS: &[Odd] = &[
    NotSent,
    Closed,
    Page(302),
    Connect(400, 25),
    Connect(401, 30),
    Page(401),
    Connect(403, 22),
    Page(403),
    Page(404),
    Page(429),
    Connect(429, 277),
    Busy(2),
    Busy(99),
    Page(501),
];
const LIMITS: &[Odd] = &[Page(503), Connect(429, 277), Busy(2)];
const OUTAGES: &[Odd] = &[NotSent, Page(503), Connect(401, 30), Page(403)];
const BLOCKS: &[Odd] = &[Page(403), Page(502), Lost];
const FATES: &[Fate] = &[
    Fate::FailsEarly,
    Fate::FailsLate,
    Fate::Error,
    Fate::ErrorLate,
    Fate::DeletesEarly,
    Fate::Slow,
    Fate::Lost,
    Fate::Dead,
];

impl Incident {
    /// Returns the incidents that can happen at such a request.
    pub(super) fn at(asked: Asked, world: &World) -> Vec<Self> {
        let all =
            |odds: &'static [Odd], incident: fn(Odd) -> Self| odds.iter().map(move |&odd| incident(odd));
        let mut incidents: Vec<Self> = all(UNANSWERED, Self::Reply).collect();
        incidents.extend(all(REFUSALS, Self::Reply));
        incidents.extend(all(LIMITS, Self::Limit));
        incidents.extend(all(OUTAGES, Self::Outage));
        incidents.extend(all(BLOCKS, Self::Blocked));
        match asked {
            Asked::List if world.kind.tells => incidents.push(Self::StaleList),
            Asked::List | Asked::Settings => {}
            Asked::Delete => {
                incidents.extend(all(UNANSWERED, Self::AfterEffect));
                incidents.extend(all(&[Other, NoTask], Self::AfterEffect));
                incidents.extend(all(&[NotSent, Page(403), Page(404), Busy(2), Busy(99)], Self::DoubtThen));
                incidents.extend(FATES.iter().map(|&fate| Self::Task(fate)));
            }
            Asked::DryRun => {
                incidents.extend([Self::Reply(Other), Self::AfterEffect(Started)]);
            }
            Asked::Poll => {
                incidents.extend(all(&[Connect(404, 141), Connect(404, 4), Other], Self::Reply));
                incidents.push(Self::Restart);
            }
        }
        for named in 0..world.scene.named.len() {
            incidents.extend([Act::Delete(named), Act::Create(named)].map(Self::Client));
            if !world.scene.named[named].ends_with("Local") {
                let acts =
                    [Act::DeleteNamesake(named), Act::CreateNamesake(named), Act::CreateEqualRow(named)];
                incidents.extend(acts.map(Self::Client));
            }
        }
        incidents
    }

    /// Returns the odd reply to a request of this number and kind, if the incident causes one. It was placed at a
    /// request of the number `at` and the kind `first`.
    pub(super) fn oddity(self, [at, number]: [usize; 2], [first, asked]: [Asked; 2]) -> Option<Oddity> {
        let (is_here, is_since) = (number == at, number >= at);
        let once = |odd| Oddity { odd, has_effect: false, is_lasting: false };
        let lasting = |odd| Oddity { odd, has_effect: false, is_lasting: true };
        Some(match self {
            Self::Reply(odd) if is_here => once(odd),
            Self::AfterEffect(odd) if is_here => Oddity { has_effect: true, ..once(odd) },
            Self::DoubtThen(_) if is_here => Oddity { has_effect: true, ..once(Lost) },
            Self::DoubtThen(odd) if is_since && asked == Asked::Delete => lasting(odd),
            Self::Limit(odd) if is_since && number < at + 3 => once(odd),
            Self::Outage(odd) if is_since => lasting(odd),
            Self::Blocked(odd) if is_since && first == asked => lasting(odd),
            _ => return None,
        })
    }
}

impl Odd {
    /// Returns what the reply means for a request, by what the API and HTTP say. `answered` says whether Connect
    /// has sent a good reply before.
    pub(super) fn meaning(self, asked: Asked, answered: bool) -> Meaning {
        let is_repeatable = asked != Asked::Delete;
        let unless_delete = |meaning| if is_repeatable { meaning } else { Meaning::InDoubt };
        match self {
            NotSent | Closed => Meaning::AskedAgain,
            Busy(seconds) if seconds > 60 => Meaning::Refused,
            Busy(_) | Page(429) | Connect(429, _) => Meaning::AskedAgain,
            Connect(404, 4 | 141) if asked == Asked::Poll => Meaning::AskedAgain,
            Page(401) | Connect(401, _) if is_repeatable && answered => Meaning::AskedAgain,
            Page(501) => Meaning::Refused,
            Lost | LostReused | Late | Page(408 | 500..) | Connect(500.., _) => {
                unless_delete(Meaning::AskedAgain)
            }
            Empty | Html | CutJson | Other | NoTask if answered => unless_delete(Meaning::AskedAgain),
            // The end of a body without a length is lost, not odd.
            CutUnframed => unless_delete(Meaning::AskedAgain),
            NotHttp | Empty | Html | CutJson | Other | NoTask | Started => unless_delete(Meaning::Refused),
            Page(_) | Connect(..) => Meaning::Refused,
        }
    }

    /// Reports whether the key was refused, so that a purge starts no further deletion.
    pub(super) fn denies(self) -> bool {
        matches!(self, Page(401 | 403) | Connect(401 | 403, _))
    }
}

/// The spelling in `SIMULATE`.
impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.at, self.incident)
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Reply(Page(503))` becomes `Reply-Page-503`.
        let text = format!("{self:?}").replace(", ", "-").replace('(', "-").replace(')', "");
        f.write_str(&text)
    }
}
