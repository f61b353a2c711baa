"""# Blackjack-v1

Draw cards to come closer to 21 than the dealer, but not above it. The deck is infinite: all 13
ranks are always equally likely. A jack, queen or king counts 10; an ace counts 11 where that does
not take the sum above 21 (it is then usable), and else 1.

Original: `gymnasium/envs/toy_text/blackjack.py`, after example 5.1 of Sutton and Barto,
"Reinforcement Learning: An Introduction" (2020).

## Action Space

`Discrete(2)`: 0 sticks, 1 hits, which is to take one more card. When the player sticks, the dealer
takes cards up to a sum of 17 or more.

## Observation Space

`Tuple(Discrete(32), Discrete(11), Discrete(2))`: the player's sum, the dealer's first card (1 is an
ace), and whether the player has a usable ace.

## Rewards

1 if the player wins, -1 if it loses, 0 if the sums are equal; 0 for each card that does not end the
episode. Who is above 21 loses, the player first. A natural is an ace with a card that counts 10,
and no third one:

- with `sab=True`, a player's natural wins against a dealer who has none, even one with 21;
- with `sab=False` and `natural=True`, a natural that wins is worth 1.5.

## Starting State

The dealer and then the player have drawn two cards each.

## Episode End

Terminated when the player sticks or is above 21. There is no time limit.

## Arguments

- `natural`, bool, by default False, and `sab`, bool, by default True: see the rewards.

## Version History

- v1: naturals as documented.
"""

from typing import NamedTuple

import numpy as np
from gymnasium.spaces import Discrete, Tuple

from batchsim.random import choice
from batchsim.ranges import require_between

RENDER_FPS = 4

SUITS = "CDHS"
FACES = "JQK"


class State(NamedTuple):
    player_total: np.int8  # aces count 1
    player_has_ace: bool
    player_has_natural: bool
    dealer_card: np.int8
    hidden_card: np.int8
    suit: np.int8  # for rendering: of the dealer's card
    face: np.int8  # for rendering: what the dealer's card is if it counts 10


class Params(NamedTuple):
    natural: bool = False
    sab: bool = True


ACTION = Discrete(2)
KEYS = {"s": 0, "h": 1}
OBSERVATION = Tuple((Discrete(32), Discrete(11), Discrete(2)))


def check_state(s, p):
    require_between("player_total", s.player_total, 2, 31)
    require_between("dealer_card", s.dealer_card, 1, 10)
    require_between("hidden_card", s.hidden_card, 1, 10)
    require_between("suit", s.suit, 0, len(SUITS) - 1)
    require_between("face", s.face, 0, len(FACES) - 1)


def draw_card(rng, i):
    """Return what the next card counts, 1 to 10."""
    return min(choice(rng, i, 13) + 1, 10)


def best_sum(total, has_ace):
    """Return the sum of a hand with an ace counted as 11 where that can be."""
    return total + 10 if has_ace and total <= 11 else total


def reset(s, i, p, rng):
    dealer_card = draw_card(rng, i)
    hidden_card = draw_card(rng, i)
    first = draw_card(rng, i)
    second = draw_card(rng, i)
    has_ace = first == 1 or second == 1
    s.player_total[i] = first + second
    s.player_has_ace[i] = has_ace
    s.player_has_natural[i] = has_ace and first + second == 11
    s.dealer_card[i] = dealer_card
    s.hidden_card[i] = hidden_card
    s.suit[i] = choice(rng, i, 4)
    s.face[i] = choice(rng, i, 3) if dealer_card == 10 else 0


def step(s, i, action, p, rng):
    player_total = int(s.player_total[i])
    if action == 1:
        card = draw_card(rng, i)
        player_total += card
        s.player_total[i] = player_total
        s.player_has_ace[i] = s.player_has_ace[i] or card == 1
        s.player_has_natural[i] = False
        is_bust = player_total > 21
        return -1.0 if is_bust else 0.0, is_bust

    dealer_card = int(s.dealer_card[i])
    hidden_card = int(s.hidden_card[i])
    dealer_total = dealer_card + hidden_card
    dealer_has_ace = dealer_card == 1 or hidden_card == 1
    dealer_has_natural = dealer_has_ace and dealer_total == 11
    while best_sum(dealer_total, dealer_has_ace) < 17:
        card = draw_card(rng, i)
        dealer_total += card
        dealer_has_ace = dealer_has_ace or card == 1

    player_sum = best_sum(player_total, s.player_has_ace[i])
    dealer_sum = best_sum(dealer_total, dealer_has_ace)
    if dealer_sum > 21 or player_sum > dealer_sum:
        reward = 1.0
    else:
        reward = 0.0 if player_sum == dealer_sum else -1.0
    if s.player_has_natural[i]:
        if p.sab and not dealer_has_natural:
            reward = 1.0
        elif not p.sab and p.natural and reward == 1.0:
            reward = 1.5
    return reward, True


def observe(s, i, p, out):
    total = int(s.player_total[i])
    player_sum = best_sum(total, s.player_has_ace[i])
    out[0][0] = player_sum
    out[1][0] = s.dealer_card[i]
    out[2][0] = player_sum != total


def renderer(p):
    """Return a function (s, i) -> frame (376, 384, 3) that draws with Gymnasium's renderer."""
    from gymnasium.envs.toy_text.blackjack import BlackjackEnv

    original = BlackjackEnv(render_mode="rgb_array")

    def draw(s, i):
        total, card = int(s.player_total[i]), int(s.dealer_card[i])
        original.player = [1, total - 1] if s.player_has_ace[i] else [total]
        original.dealer = [card]
        original.dealer_top_card_suit = SUITS[s.suit[i]]
        names = {1: "A", 10: FACES[s.face[i]]}
        original.dealer_top_card_value_str = names.get(card, str(card))
        return original.render()

    return draw
