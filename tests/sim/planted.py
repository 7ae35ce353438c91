"""Programs with planted bugs, and their mended twins."""

from bloomish import (
    Address,
    Cluster,
    Key,
    Program,
    _,
    channel,
    choose,
    eventually,
    here,
    input,
    invariant,
    notin,
    now,
    roster,
    table,
    variables,
)

ballot, key, other, request, server, time, value, voter = variables(
    "ballot key other request server time value voter"
)


class Wire(Program):
    """A request and its confirmation."""

    ask = channel(server=Address, client=Address, request=int)
    ok = channel(client=Address, request=int)


class Server(Wire):
    seen = table(request=int)

    seen(request) <= Wire.ask(_, _, request)
    Wire.ok(voter, request) < ~Wire.ask(_, voter, request)


class HastyClient(Wire):
    """Sends once: a loss is for ever."""

    servers = roster("server")
    want = input(request=int)
    open = table(request=int)
    done = table(request=int)
    answered = eventually(request=int)

    open(request) <= want(request)
    Wire.ask(server, here, request) < ~want(request) & servers(server)
    done(request) <= Wire.ok(_, request)
    answered(request) <= done(request)


class PatientClient(Wire):
    """Repeats until confirmed."""

    servers = roster("server")
    want = input(request=int)
    open = table(request=int, durable=True)
    done = table(request=int, durable=True)
    answered = eventually(request=int)

    open(request) <= want(request)
    Wire.ask(server, here, request) < ~open(request) & servers(server) & notin(done(request))
    done(request) <= Wire.ok(_, request)
    answered(request) <= done(request)


hasty = Cluster(server=Server, client=HastyClient)
patient = Cluster(server=Server, client=PatientClient)


class Ballots(Program):
    """A voter promises one candidate per ballot."""

    request = channel(voter=Address, candidate=Address, ballot=int)
    grant = channel(candidate=Address, voter=Address, ballot=int)
    audit = channel(auditor=Address, candidate=Address, voter=Address, ballot=int)


class Candidate(Ballots):
    voters = roster("voter")
    auditors = roster("auditor")
    stand = input(ballot=int)
    standing = table(ballot=int)

    standing(ballot) <= stand(ballot)
    Ballots.request(voter, here, ballot) < ~standing(ballot) & voters(voter)
    Ballots.audit(other, here, voter, ballot) < ~Ballots.grant(_, voter, ballot) & auditors(other)


class ForgetfulVoter(Ballots):
    """Its promise is not on disk."""

    promised = table(ballot=int, candidate=Address)

    promised(ballot, choose(other)) < +Ballots.request(_, other, ballot) & notin(
        promised(ballot, _)
    )
    Ballots.grant(other, here, ballot) < ~Ballots.request(_, other, ballot) & promised(
        ballot, other
    )


class DurableVoter(Ballots):
    promised = table(ballot=int, candidate=Address, durable=True)

    promised(ballot, choose(other)) < +Ballots.request(_, other, ballot) & notin(
        promised(ballot, _)
    )
    Ballots.grant(other, here, ballot) < ~Ballots.request(_, other, ballot) & promised(
        ballot, other
    )


class Auditor(Ballots):
    """Sees every grant: a voter must not have granted one ballot to two candidates."""

    granted = table(ballot=int, voter=Address, candidate=Address)
    torn = invariant(ballot=int, voter=Address)

    granted(ballot, voter, other) <= Ballots.audit(_, other, voter, ballot)
    torn(ballot, voter) <= granted(ballot, voter, other) & granted(ballot, voter, server) & (
        other != server
    )


forgetful = Cluster(candidate=Candidate * 2, voter=ForgetfulVoter, auditor=Auditor)
durable = Cluster(candidate=Candidate * 2, voter=DurableVoter, auditor=Auditor)


class Lease(Program):
    """A clock that is set back makes a lease that was over valid again."""

    grant = input(key=int)
    until = table(key=Key(int), time=float, durable=True)
    over = table(key=int)
    revived = invariant(key=int)
    check = input(key=int)

    until(key, now() + 1.0) < +-grant(key)
    over(key) <= check(key) & until(key, time) & (now() > time)
    revived(key) <= check(key) & over(key) & until(key, time) & (now() < time)


lease = Cluster(holder=Lease)
