"""Three shopping carts, replicated three times: destructive, disorderly, and as a lattice.

Sources: Alvaro, Conway, Hellerstein, Marczak, "Consistency Analysis in Bloom: a CALM and Collected
Approach" (CIDR 2011), section 4, for the first two; Conway et al., "Logic and Lattices for
Distributed Programming" (SoCC 2012), section 5, for the third.

A household shops from several devices at once: each puts changes ("two more of milk", "one fewer")
into one cart, and one of them checks out, with the list of the requests that its screen showed.
Every device sends all it does to every replica.  Channels keep no order between devices, so each
replica sees the same changes in an order of its own.

- `DestructiveCart` changes the cart in place and never below zero: it depends on the order, from
  the first update on.  Replicas drift apart and stay apart.
- `DisorderlyCart` only ever adds to a log of requests, and sums it up.  The carts agree in the
  end; the receipt is the sum of what had come by the checkout, and replicas may differ in it.
- `LatticeCart` keeps requests and checkouts in lattices, and its receipt is a monotone function of
  both: it appears when every request that the checkout lists is there, in whatever order.
"""

from itertools import product

from bloomish import (
    Address, Any, Cluster, Key, MapUnion, Program, SetUnion, _, channel, each, function, input,
    notin, output, roster, scratch, sum_, table, variables,
)

asked, change, item, lists, quantities, quantity = variables(
    "asked change item lists quantities quantity"
)
replica, request, requests, session = variables("replica request requests session")


class Shop(Program):
    """What shoppers say to the replicas of a cart."""

    act = channel(to=Address, session=str, request=int, item=str, change=int)
    checkout = channel(to=Address, session=str, requests=Any)


class Shopper(Shop):
    """One device: passes what its user does to every replica."""

    replicas = roster("replica")
    do = input(session=str, request=int, item=str, change=int)
    pay = input(session=str, requests=Any)

    Shop.act(replica, session, request, item, change) <~ (
        do(session, request, item, change) & replicas(replica)
    )
    Shop.checkout(replica, session, requests) <~ pay(session, requests) & replicas(replica)


@function
def at_least_none(quantity: int) -> int:
    """A cart cannot hold fewer than none."""
    return max(quantity, 0)


class DestructiveCart(Shop):
    """Overwrites the quantity of an item with every change."""

    cart = table(session=Key(str), item=Key(str), quantity=int)
    batch = scratch(session=Key(str), item=Key(str), change=int)
    receipt = output(session=str, item=str, quantity=int)

    batch(session, item, sum_(change)) <= Shop.act(_, session, _, item, change)
    cart(session, item, at_least_none(quantity + change)) <+- (
        batch(session, item, change) & cart(session, item, quantity)
    )
    cart(session, item, at_least_none(change)) <+- (
        batch(session, item, change) & notin(cart(session, item, _))
    )
    receipt(session, item, quantity) <= (
        Shop.checkout(_, session, _) & cart(session, item, quantity) & (quantity > 0)
    )


class DisorderlyCart(Shop):
    """Keeps every change, and sums up."""

    log = table(session=str, request=int, item=str, change=int)
    cart = scratch(session=Key(str), item=Key(str), quantity=int)
    receipt = output(session=str, item=str, quantity=int)

    log(session, request, item, change) <= Shop.act(_, session, request, item, change)
    cart(session, item, sum_(change)) <= log(session, _, item, change)
    receipt(session, item, quantity) <= (
        Shop.checkout(_, session, _) & cart(session, item, quantity) & (quantity > 0)
    )


@function(monotone=True)
def bill(
    asked: MapUnion(int, SetUnion((str, int))), checkouts: SetUnion(Any)
) -> MapUnion(str, SetUnion(int)):
    """Item to quantity, once all requests that a checkout lists are known; nothing until then.

    More knowledge never takes a bill away: a cart has one checkout and a request asks for one
    thing, and were there several, every combination would have its bill.
    """
    known = dict(asked)
    lines: dict[str, set[int]] = {}
    for listed in checkouts:
        for chosen in product(*(known.get(request, ()) for request in listed)):
            total: dict[str, int] = {}
            for name, change in chosen:
                total[name] = total.get(name, 0) + change
            for name, sum_of_changes in total.items():
                if sum_of_changes > 0:
                    lines.setdefault(name, set()).add(sum_of_changes)
    return lines


class LatticeCart(Shop):
    """Keeps what only grows; the receipt is a monotone function of it."""

    cart = table(session=Key(str), asked=MapUnion(int, SetUnion((str, int))))
    checkouts = table(session=Key(str), lists=SetUnion(Any))
    receipt = output(session=str, item=str, quantity=int)

    cart(session, {request: {(item, change)}}) <= Shop.act(_, session, request, item, change)
    checkouts(session, {requests}) <= Shop.checkout(_, session, requests)
    receipt(session, item, quantity) <= (
        cart(session, asked)
        & checkouts(session, lists)
        & each(item, quantities, bill(asked, lists))
        & each(quantity, quantities)
    )


destructive = Cluster(replica=DestructiveCart * 3, shopper=Shopper * 3)
disorderly = Cluster(replica=DisorderlyCart * 3, shopper=Shopper * 3)
lattice = Cluster(replica=LatticeCart * 3, shopper=Shopper * 3)
