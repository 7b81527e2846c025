"""Dumps of one's own: an old listing, and one whose names attack whatever shows them."""

HOSTILE_NAMES = [
    "maker/'); drop table country_shares; --",
    'maker/"quoted"',
    "maker/<script>alert(1)</script>",
    "../../etc/passwd",
    "maker/..%2f..%2f",
    "maker/\u202egnp.exe",
    'maker/=HYPERLINK("http://127.0.0.1")',
    "maker/new\nline",
    "maker/\x1b[31mred",
    "maker/comma,and;semicolon",
    "maker/back\\slash",
    "maker/$1{}%s",
    "🤗/🤗",
]
OLD_LISTING = [
    {"modelId": "bert-base-uncased", "downloads": None},
    {"id": "Qwen/model", "downloads": 5, "tags": ["license:mit"]},
    {"_id": "64b", "id": "google/other", "downloads": 7, "createdAt": "2025-01-01T00:00:00.000Z"},
]


def hostile_listing():
    """Some honest repositories, and hostile ones, each with a derivative."""
    known = {"Qwen/model": 1000, "meta-llama/model": 700, "bert-base-uncased": 300, "Qwen/seldom": 1}
    records = [{"id": name, "downloads": downloads} for name, downloads in known.items()]
    for number, name in enumerate(HOSTILE_NAMES):
        parent = {"relation": "finetune", "models": [{"_id": f"p{number}", "id": name}]}
        tags = [f"base_model:{name}", f"base_model:finetune:{name}"]
        records += [
            {"_id": f"{number:024x}", "id": name, "downloads": 100 + number},
            {"id": f"jane/tune-{number}", "downloads": 10 + number, "baseModels": parent, "tags": tags},
        ]
    return [record | {"createdAt": "2026-04-01T00:00:00.000Z"} for record in records]
