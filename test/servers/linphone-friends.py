# liblinphone with the window of a few lines: a line for each friend whenever what Linphone would show of it is different.
# Arguments: the configuration file, `bodyless` where the server has the list, `meeting` to publish that one is in one. Ends, and says goodbye, with SIGTERM.
import ctypes
import signal
import sys
import time

linphone = ctypes.CDLL("liblinphone.so.10")


def call(name, *arguments):
    function = getattr(linphone, name)
    function.restype = ctypes.c_void_p
    return function(*[ctypes.c_void_p(one) if one is None or type(one) is int and one > 99 else one for one in arguments])


def text(pointer):
    return ctypes.string_at(pointer).decode() if pointer else "-"


class Item(ctypes.Structure):
    pass


Item._fields_ = [("next", ctypes.POINTER(Item)), ("previous", ctypes.POINTER(Item)), ("data", ctypes.c_void_p)]
# LinphoneConsolidatedPresence: the colour of the dot beside a name.
dots = ["online", "busy", "do-not-disturb", "offline"]


def shown(friend):
    address = text(call("linphone_address_as_string_uri_only", call("linphone_friend_get_address", friend)))
    dot = dots[call("linphone_friend_get_consolidated_presence", friend) or 0]
    model = call("linphone_friend_get_presence_model", friend)
    note = call("linphone_presence_model_get_note", model, None) if model else None
    status = text(call("linphone_online_status_to_string", call("linphone_friend_get_status", friend) or 0))
    return f"{address} {dot} {status}: {text(call('linphone_presence_note_get_content', note)) if note else '-'}"


factory = call("linphone_factory_get")
core = call("linphone_factory_create_core_3", factory, sys.argv[1].encode(), None, None)
call("linphone_core_set_user_agent", core, b"Linphone-Friends", b"1.0")
if "bodyless" in sys.argv:
    call("linphone_friend_list_set_subscription_bodyless", call("linphone_core_get_default_friend_list", core), True)
if "meeting" in sys.argv:
    meeting = 10
    model = call("linphone_presence_model_new_with_activity_and_note", meeting, None, b"until noon", b"en")
    call("linphone_core_set_presence_model", core, model)
call("linphone_core_start", core)
running = True


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
before = {}
while running:
    call("linphone_core_iterate", core)
    friends = ctypes.cast(
        call("linphone_friend_list_get_friends", call("linphone_core_get_default_friend_list", core)), ctypes.POINTER(Item)
    )
    while friends:
        line = shown(friends.contents.data)
        if before.get(friends.contents.data) != line:
            before[friends.contents.data] = line
            print(line, flush=True)
        friends = friends.contents.next
    time.sleep(0.02)
call("linphone_core_stop", core)
