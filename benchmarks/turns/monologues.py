"""What the agent tells at length, to be interrupted in: plain words that a transcriber writes as they are said."""

from __future__ import annotations

from typing import Final

MONOLOGUES: Final = (
    "Our technician will come to your house in the morning and look at the heating in every room. Please make sure"
    " that somebody is at home and that the door to the cellar is open. He will also need a free place to park his"
    " van near the house, because the tools that he brings along are quite heavy.",
    "Before you travel you should check that your passport is still valid and that the name on the ticket is written"
    " in the same way. The train leaves from the central station and stops only once on the way to the coast. There"
    " is a small restaurant on board where you can buy coffee and sandwiches.",
    "The insurance covers damage by water, fire and storms, but it does not cover anything that was left outside over"
    " night. If something is broken you should take a picture of it and send it to us together with the bill. Our"
    " office will then write to you and tell you how much money you will get back.",
    "Your new kitchen will be delivered by two men who will also carry the old one out of the building. They start in"
    " the living room, where they put all the boxes, and then they take the old cupboards off the wall. At the end of"
    " the day everything will be clean again and you can cook your dinner.",
    "The course begins with a short walk around the garden so that everybody can get to know the plants. After lunch"
    " we will sit down together and talk about how to keep the soil healthy through the winter. Please bring warm"
    " clothes and good shoes, because the ground is often wet at this time of the year.",
    "When you open the application for the first time it will ask you for the language and the country where you"
    " live. Then you choose a password, which should be long and should not contain the name of your dog. We will"
    " send a message to your telephone, and you only have to press the green button.",
    "The doctor would like to see you again after the holiday to talk about the results of your blood test. Please do"
    " not eat anything on that morning and drink only water until you have been here. If you take any medicine, bring"
    " a list of it along and show it to the nurse at the front desk.",
    "The library is open every day except on Sundays and you can borrow as many books as you can carry. Children have"
    " a room of their own with large windows, soft chairs and a wooden ship to play in. If you bring a book back too"
    " late you have to pay a small fee, which we use to buy new books.",
)
