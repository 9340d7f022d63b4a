# Prints the parts of the form on standard input: name, file name, type of a file, and content, each in hex with
# a full stop behind it, or "-" if there is none. The argument is the form's Content-Type.
import email
import sys


def shown(text):
    return "-" if text is None else text.encode("latin-1").hex() + "."


head = "Content-Type: " + sys.argv[1] + "\r\n\r\n"
message = email.message_from_string(head + sys.stdin.buffer.read().decode("latin-1"))
assert not message.defects, message.defects
for part in message.get_payload():
    assert not part.defects, part.defects
    name = part.get_param("name", header="content-disposition")
    file_name = part.get_param("filename", header="content-disposition")
    media_type = None if file_name is None else part["content-type"]
    print(shown(name), shown(file_name), shown(media_type), shown(part.get_payload()))
