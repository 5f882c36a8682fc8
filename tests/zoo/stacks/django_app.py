"""Django in one file, for gunicorn with threads: SQLite, each change one transaction."""

import json
import os
import time
from contextlib import nullcontext
from pathlib import Path

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the zoo",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(os.environ["FOLDER"]) / "carts.sqlite",
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
        }
    },
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection, models, transaction  # noqa: E402
from django.http import HttpResponse, HttpResponseNotAllowed, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Cart(models.Model):
    """Django's SQLite columns are AUTOINCREMENT: an id is given once."""

    name = models.TextField()

    class Meta:
        app_label = "zoo"


with connection.schema_editor() as editor:
    editor.create_model(Cart)


def shown(cart):
    return {"id": cart.pk, "name": cart.name}


def collection(request):
    if request.method == "GET":
        return JsonResponse({"items": [shown(cart) for cart in Cart.objects.order_by("pk")]})
    if request.method == "POST":
        cart = Cart.objects.create(name=json.loads(request.body)["name"])
        return JsonResponse(shown(cart), status=201)
    return HttpResponseNotAllowed(["GET", "POST"])


def one(request, pk):
    if request.method == "GET":
        cart = Cart.objects.filter(pk=pk).first()
        return gone() if cart is None else JsonResponse(shown(cart))
    racy = "X-Racy" in request.headers
    with nullcontext() if racy else transaction.atomic():
        cart = Cart.objects.filter(pk=pk).first()
        if cart is None:
            return gone()
        if racy:
            time.sleep(0.01)
        if request.method == "DELETE":
            cart.delete()
            return HttpResponse(status=204)
        cart.name = json.loads(request.body)["name"]
        cart.save()  # it would make it again, if it were not one transaction
        return JsonResponse(shown(cart))


def gone():
    return JsonResponse({"error": "there is no such cart"}, status=404)


urlpatterns = [path("carts", collection), path("carts/<int:pk>", one)]
application = get_wsgi_application()
