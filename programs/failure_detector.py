"""Heartbeats with timeouts: an eventually perfect failure detector, and the leader it elects.

Source: Chandra, Toueg, "Unreliable Failure Detectors for Reliable Distributed Systems" (JACM 1996),
the detector of section 8 (a timeout that grows with every mistake); Chandra, Hadzilacos, Toueg,
"The Weakest Failure Detector for Solving Consensus" (JACM 1996) for the leader.

**This is the only program here in which time enters**, as beats of a local timer.  Silence proves
nothing: a peer that is suspected may be slow, paused or cut off.  So a suspicion is a hint.  The
protocols that embed this program use it to decide when to try again and who should try, for
progress alone; what they promise holds if every suspicion is wrong.

- Completeness: a node that has died is suspected by all that watch it, after the timeout.
- Accuracy, once messages arrive within some bound, known or not: every mistake adds to the timeout
  for that peer, so only finitely many are made.  Before that there may be any number.
- The leader is the least peer that is not suspected: at last the same at every node that lives.

To embed it: say whom to tell and whom to watch.

    detector = use(FailureDetector)
    detector.told(peer) <= replicas(peer)
    detector.watched(peer) <= replicas(peer)
"""

from bloomish import (
    Address, Cluster, Key, Max, Program, _, channel, here, min_, notin, output, periodic, protocol,
    roster, scratch, table, use, variables,
)

beats, limit, peer = variables("beats limit peer")

FIRST_PATIENCE = 4
"""Beats of silence that are borne at first."""


class FailureDetector(Program):
    """Counts its own beats since it last heard a peer.  Nothing of it is durable: a node that comes
    back trusts everybody, and learns."""

    protocol(by="time: silence beyond a timeout is a hint, for progress alone")

    heartbeat = channel(to=Address, peer=Address)
    beat = periodic(0.1)
    told = scratch(peer=Address)        # to whom this node says that it lives
    watched = scratch(peer=Address)     # of whom it wants to hear

    silence = table(peer=Key(Address), beats=int)
    patience = table(peer=Key(Address), beats=Max(int))
    suspect = scratch(peer=Address)
    leader = scratch(peer=Address)

    heartbeat(peer, here) <~ beat(_) & told(peer) & (peer != here)

    silence(peer, 0) <+- heartbeat(_, peer) & watched(peer)
    silence(peer, 0) <+- watched(peer) & (peer != here) & notin(silence(peer, _))
    silence(peer, beats + 1) <+- (
        beat(_) & silence(peer, beats) & notin(suspect(peer)) & notin(heartbeat(_, peer))
    )

    # Who speaks after having been suspected was suspected wrongly: bear a longer silence next time.
    patience(peer, FIRST_PATIENCE) <= watched(peer)
    patience(peer, beats + 2) <+ heartbeat(_, peer) & suspect(peer) & silence(peer, beats)

    suspect(peer) <= silence(peer, beats) & patience(peer, limit) & (beats > limit)
    leader(min_(peer)) <= watched(peer) & notin(suspect(peer))


class Member(Program):
    """A node of a group in which all watch each other."""

    members = roster("member")
    detector = use(FailureDetector)
    suspected = output(peer=Address)
    leader = output(peer=Address)

    detector.told(peer) <= members(peer)
    detector.watched(peer) <= members(peer)
    suspected(peer) <= detector.suspect(peer)
    leader(peer) <= detector.leader(peer)


cluster = Cluster(member=Member * 3)
