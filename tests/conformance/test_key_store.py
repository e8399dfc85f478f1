"""What any store of people's keys must do: one key a person, found by any name, and gone for good when it is erased."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from shared.ports.key_store import KEY_BYTES, Erasure, KeyStore

ERASURE = Erasure(datetime(2026, 3, 2, 12, 30, tzinfo=UTC), "0195-decision")
ANA, BEA = {"ana-number": {"ana-email"}}, {"bea-number": {"family-email"}}
CARLA = {"carla-number": {"family-email"}}


def test_the_pepper_stays(key_store: KeyStore) -> None:
    """Asiento names people under one secret for as long as the store lives."""
    assert len(key_store.pepper()) == KEY_BYTES
    assert key_store.pepper() == key_store.pepper()


def test_a_person_has_one_key(key_store: KeyStore) -> None:
    """Asiento makes a key for whom it meets for the first time, finds it again, and gives nobody another's."""
    first = key_store.keys_of(ANA)
    assert key_store.keys_of(ANA | BEA)["ana-number"] == first["ana-number"]
    keys = key_store.keys_of(ANA | BEA)
    assert len({key.secret for key in keys.values()}) == len({key.key_id for key in keys.values()}) == 2
    assert {len(key.secret) for key in keys.values()} == {KEY_BYTES}
    assert key_store.keys([key.key_id for key in keys.values()]) == {key.key_id: key.secret for key in keys.values()}
    assert key_store.keys(["0" * 24]) == {}
    assert key_store.keys_of({}) == {}


def test_makers_at_once_agree(key_store: KeyStore) -> None:
    """Asiento gives one person one key however many deliveries tell of them at the same moment."""
    with ThreadPoolExecutor(6) as pool:
        keys = list(pool.map(lambda _: key_store.keys_of(ANA)["ana-number"], range(12)))
    assert len(set(keys)) == 1
    assert key_store.keys([keys[0].key_id]) == {keys[0].key_id: keys[0].secret}


def test_an_erased_key_is_gone_for_good(key_store: KeyStore) -> None:
    """Asiento erases a key by any of the person's names, remembers only when and by which decision, and spares the others."""
    keys = key_store.keys_of(ANA | BEA)
    ana, bea = keys["ana-number"], keys["bea-number"]
    assert key_store.find(["ana-email"]) == [ana.key_id]
    key_store.erase(key_store.find(["ana-email", "nobody"]), ERASURE)
    assert key_store.keys([ana.key_id, bea.key_id]) == {ana.key_id: ERASURE, bea.key_id: bea.secret}
    assert key_store.find(["ana-email", "ana-number"]) == []
    assert key_store.keys_of(BEA)["bea-number"] == bea


def test_erasing_again_changes_nothing(key_store: KeyStore) -> None:
    """Asiento erases once: run again it finds nothing, and of two who erase at once the first decision stands."""
    ana = key_store.keys_of(ANA)["ana-number"]
    found = key_store.find(["ana-number"])
    key_store.erase(found, ERASURE)
    assert key_store.find(["ana-number"]) == []
    key_store.erase(found, Erasure(datetime(2027, 1, 1, tzinfo=UTC), "later"))
    assert key_store.keys([ana.key_id]) == {ana.key_id: ERASURE}


def test_who_comes_again_has_a_new_key(key_store: KeyStore) -> None:
    """Asiento meets an erased passenger as a new one: the new key opens nothing of before."""
    before = key_store.keys_of(ANA)["ana-number"]
    key_store.erase([before.key_id], ERASURE)
    after = key_store.keys_of(ANA)["ana-number"]
    assert after.key_id != before.key_id
    assert after.secret != before.secret
    assert key_store.find(["ana-email"]) == [after.key_id]


def test_one_address_may_mean_several(key_store: KeyStore) -> None:
    """Asiento erases everybody who was booked under the address that is named."""
    keys = key_store.keys_of(BEA | CARLA)
    found = key_store.find(["family-email"])
    assert found == sorted(key.key_id for key in keys.values())
    key_store.erase(found, ERASURE)
    assert key_store.keys(found) == dict.fromkeys(found, ERASURE)


def test_a_key_made_meanwhile_is_spared(key_store: KeyStore) -> None:
    """Asiento erases the keys that were found and no other: one that a name came to mean since is nobody's decision yet."""
    key_store.keys_of(BEA)
    found = key_store.find(["family-email"])
    carla = key_store.keys_of(CARLA)["carla-number"]
    key_store.erase(found, ERASURE)
    assert key_store.find(["family-email"]) == [carla.key_id]
    assert key_store.keys([carla.key_id]) == {carla.key_id: carla.secret}


def test_a_name_learned_later_leads_to_the_key(key_store: KeyStore) -> None:
    """Asiento finds a key by an address that came only with a later delivery."""
    ana = key_store.keys_of({"ana-number": set()})["ana-number"]
    assert key_store.find(["ana-email"]) == []
    key_store.keys_of(ANA)
    assert key_store.find(["ana-email"]) == [ana.key_id]
