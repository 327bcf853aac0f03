"""DeliverySlots are counted, and so are the bytes in them."""

from email_consumer.core.delivery_slots import DeliverySlots


def test_nothing_is_free_while_too_many_bytes_are_unsettled() -> None:
    slots, seen = DeliverySlots(10, most_bytes=100), []
    slots.on_change(lambda: seen.append(slots.free))
    slots.take(60)
    assert slots.free == 9
    slots.take(60)
    assert slots.free == 0
    slots.release(60)
    assert seen == [9]
