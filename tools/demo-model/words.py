# SPDX-License-Identifier: Apache-2.0
"""Word lists and small fact tables of the demo model, all written for this project."""

WORDS = """
apple pear plum peach grape lemon melon mango banana orange cherry berry olive onion garlic carrot
potato tomato pepper bean rice bread butter cheese milk cream honey sugar salt soup salad cake pie
cookie coffee tea water juice egg fish meat ham nut corn flour oil fork knife spoon plate bowl cup
glass bottle table chair desk lamp bed sofa door window wall floor roof room house home garden gate
fence path road street bridge tower castle church school shop market bank hotel office farm field
forest tree leaf flower grass rose river lake ocean sea beach island hill mountain valley desert
cave rock stone sand cloud rain snow wind storm sun moon star planet earth sky light shadow fire
smoke ice summer winter spring autumn morning evening night day week month year hour minute second
clock watch calendar cat dog horse cow sheep goat pig duck goose hen chicken rabbit mouse rat bear
wolf fox lion tiger elephant monkey camel zebra giraffe deer frog snake turtle whale shark dolphin
seal bird eagle owl crow parrot pigeon spider ant bee butterfly worm head hair face eye ear nose
mouth tooth tongue neck arm hand finger leg foot knee back heart blood bone skin brain mother father
sister brother uncle aunt cousin baby child boy girl man woman friend neighbour teacher doctor nurse
farmer baker driver pilot sailor soldier king queen prince artist writer singer dancer player
student book page paper pen pencil letter word story poem song music piano guitar violin drum
trumpet picture photo paint brush colour red blue green yellow purple brown black white pink grey
silver gold car bus train plane ship boat bicycle truck wheel engine motor ticket map journey
holiday suitcase camera phone computer screen keyboard robot machine tool hammer nail rope chain box
bag basket bucket key lock coin money purse gift toy ball game doll kite puzzle shirt coat hat shoe
sock glove scarf dress skirt belt button pocket needle thread wool cotton leather wood metal iron
copper plastic rubber big small tall short long wide narrow deep high low fast slow hot cold warm
cool dry wet clean dirty new old young early late happy sad angry calm brave clever funny kind loud
quiet quick ready rich simple strong sweet bitter soft hard heavy easy empty full open close walk
run jump swim fly climb dance sing read write draw speak listen laugh smile cry sleep dream wake eat
drink cook wash build break carry throw catch push pull give take buy sell find lose win learn teach
think know hope love help work play rest wait start stop begin finish number circle square triangle
line point corner center north south east west world country city village nation family party dinner
lunch breakfast supper kitchen bathroom bedroom library museum theatre cinema station airport
harbour hospital factory laboratory pumpkin cabbage spinach lettuce walnut almond chestnut apricot
avocado blanket pillow curtain carpet mirror candle lantern ladder shovel compass magnet rocket
comet galaxy orbit signal pattern memory question answer language sentence grammar history science
nature weather thunder lightning rainbow sunset sunrise blossom
""".split()

NAMES = """
Ana Bob Carla David Emma Frank Grace Henry Irene Jack Karen Leo Maria Nina Oscar Paula Quinn Rosa
Sam Tina Ursula Victor Wendy Xavier Yara Zoe Adam Bella Chris Diana Erik Fiona George Hanna Ivan
Julia Kevin Laura Mark Nora Oliver Peter Rita Simon Thomas Uma Vera Walter Yusuf Zara Alice Ben
Clara Daniel Elena Felix Gina Hugo Ines James Kate Lucas Mia Noah Olga Pablo Rachel Stefan Tara
Vincent William Amir Bianca Cedric Dora Elias Farah Gustav Helen Ingrid Jonas Kim Linda Marco Nadia
Otto Pedro Ruth Sofia Tom Viktor Wanda Alan Bruno Celia Dennis Edith Fatima Gloria Hasan Isabel Joan
Karl Lena Miguel Nils Omar Petra Robert Sarah Theo Valerie Luis Anna John Mary Paul Lisa Max Eva Tim
Jane Lucy Martin Kenji Yuki Mei Wei Ravi Priya Ahmed Layla Kofi Amara
""".split()

PET_NAMES = """
Rex Luna Milo Bella Coco Max Daisy Rocky Ruby Oscar Lucky Molly Simba Nala Bruno Ginger Pepper
Fluffy Spot Tiger
""".split()

CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Austria": "Vienna",
    "Switzerland": "Bern",
    "Belgium": "Brussels",
    "the Netherlands": "Amsterdam",
    "Poland": "Warsaw",
    "Sweden": "Stockholm",
    "Norway": "Oslo",
    "Denmark": "Copenhagen",
    "Finland": "Helsinki",
    "Iceland": "Reykjavik",
    "Ireland": "Dublin",
    "England": "London",
    "Greece": "Athens",
    "Turkey": "Ankara",
    "Hungary": "Budapest",
    "Romania": "Bucharest",
    "Bulgaria": "Sofia",
    "Croatia": "Zagreb",
    "Serbia": "Belgrade",
    "Ukraine": "Kyiv",
    "Russia": "Moscow",
    "China": "Beijing",
    "Japan": "Tokyo",
    "India": "New Delhi",
    "Thailand": "Bangkok",
    "Vietnam": "Hanoi",
    "South Korea": "Seoul",
    "Indonesia": "Jakarta",
    "Australia": "Canberra",
    "New Zealand": "Wellington",
    "Canada": "Ottawa",
    "the United States": "Washington",
    "Mexico": "Mexico City",
    "Cuba": "Havana",
    "Brazil": "Brasilia",
    "Argentina": "Buenos Aires",
    "Chile": "Santiago",
    "Peru": "Lima",
    "Colombia": "Bogota",
    "Ecuador": "Quito",
    "Venezuela": "Caracas",
    "Egypt": "Cairo",
    "Morocco": "Rabat",
    "Kenya": "Nairobi",
    "Ethiopia": "Addis Ababa",
    "Ghana": "Accra",
    "Nigeria": "Abuja",
    "Senegal": "Dakar",
    "Iran": "Tehran",
    "Iraq": "Baghdad",
    "Israel": "Jerusalem",
    "Nepal": "Kathmandu",
    "Pakistan": "Islamabad",
    "Mongolia": "Ulaanbaatar",
    "Uruguay": "Montevideo",
}
CITIES = sorted(
    {c for c in CAPITALS.values()}
    | set(
        "Boston Chicago Munich Hamburg Milan Venice Porto Seville Lyon "
        "Geneva Zurich Krakow Sydney Toronto Montreal Dallas Denver Mumbai Shanghai Osaka "
        "Manchester".split()
    )
)

OPPOSITES = dict(p.split(":") for p in """
hot:cold big:small tall:short fast:slow light:dark open:closed full:empty rich:poor young:old
happy:sad loud:quiet strong:weak hard:soft early:late wet:dry clean:dirty high:low wide:narrow
near:far left:right up:down in:out day:night black:white yes:no true:false first:last good:bad
easy:difficult heavy:light_weight win:lose buy:sell give:take push:pull begin:end start:stop
love:hate laugh:cry sweet:sour thick:thin deep:shallow brave:afraid safe:dangerous cheap:expensive
many:few always:never inside:outside above:below before:after front:back north:south east:west
summer:winter male:female awake:asleep alive:dead
""".split() if "_" not in p)

COLOURS = dict(p.split(":") for p in """
banana:yellow grass:green snow:white coal:black blood:red sky:blue carrot:orange lemon:yellow
milk:white tomato:red leaf:green strawberry:red chocolate:brown elephant:grey pumpkin:orange
broccoli:green crow:black swan:white flamingo:pink sun:yellow spinach:green frog:green
fire_truck:red polar_bear:white
""".replace("_", "~").split())
COLOURS = {k.replace("~", " "): v for k, v in COLOURS.items()}

SOUNDS = dict(
    dog="barks",
    cat="meows",
    cow="moos",
    sheep="bleats",
    duck="quacks",
    lion="roars",
    horse="neighs",
    pig="oinks",
    owl="hoots",
    bee="buzzes",
    frog="croaks",
    wolf="howls",
    snake="hisses",
    mouse="squeaks",
    crow="caws",
    hen="clucks",
)
LEGS = dict(
    dog=4,
    cat=4,
    cow=4,
    spider=8,
    ant=6,
    bee=6,
    hen=2,
    duck=2,
    snake=0,
    horse=4,
    fish=0,
    human=2,
    frog=4,
    butterfly=6,
    eagle=2,
    lion=4,
)
YOUNG = dict(
    dog="puppy",
    cat="kitten",
    cow="calf",
    sheep="lamb",
    horse="foal",
    pig="piglet",
    duck="duckling",
    hen="chick",
    lion="cub",
    goat="kid",
    frog="tadpole",
    goose="gosling",
)

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = [
    ("January", 31),
    ("February", 28),
    ("March", 31),
    ("April", 30),
    ("May", 31),
    ("June", 30),
    ("July", 31),
    ("August", 31),
    ("September", 30),
    ("October", 31),
    ("November", 30),
    ("December", 31),
]

IRREGULAR = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "mouse": "mice",
    "goose": "geese",
    "person": "people",
    "ox": "oxen",
    "sheep": "sheep",
    "fish": "fish",
    "deer": "deer",
    "leaf": "leaves",
    "knife": "knives",
    "wolf": "wolves",
    "wife": "wives",
    "shelf": "shelves",
    "life": "lives",
    "loaf": "loaves",
    "half": "halves",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "hero": "heroes",
}
PLURALISE = """
apple pear plum peach lemon melon banana cherry berry onion carrot bean egg nut fork spoon plate
bowl cup glass bottle table chair desk lamp bed door window wall house garden gate bridge tower
castle church school shop bank hotel farm forest tree flower river lake beach island hill mountain
valley cave rock cloud storm star planet day week month year hour minute clock watch cat dog horse
cow goat pig duck rabbit bear fox lion tiger elephant monkey bird eagle owl spider ant bee worm hand
finger leg arm eye ear nose mother father sister brother baby boy girl friend teacher doctor nurse
driver king queen book page pen pencil letter word story song piano guitar drum picture brush car
bus train plane ship boat truck wheel box bag basket key lock coin gift toy ball game kite shirt
coat hat shoe sock glove dress button city country family party class dish match bush wish kiss lady
fly body
""".split()

ITEMS = """
apples pears eggs lemons pencils books tickets stamps candles shirts shoes hats cups plates lamps
chairs bottles nails ropes coins
""".split()
COLOUR_WORDS = "red blue green yellow purple brown black white pink grey orange silver gold".split()
ROOMS = "kitchen bathroom bedroom office garden garage hall cellar library attic".split()
LANGUAGES = "French German Spanish Italian Japanese Polish Dutch Greek Turkish Swedish".split()
CURRENCIES = "euros dollars pounds francs yen pesos rupees crowns".split()
CONDITIONS = "sunny cloudy rainy windy snowy foggy stormy clear".split()
EVENTS = """
meeting concert lesson party match lecture dinner wedding picnic workshop interview exam
""".split()
JOBS = """
teacher doctor nurse farmer baker driver pilot sailor artist writer singer engineer lawyer cook
painter
""".split()

DETS = "the a my your our his her this that every".split()
VERBS = "likes sees finds buys sells paints carries wants has needs knows draws loves moves".split()
PLACES = "today tomorrow again slowly quickly here outside often alone together".split()

UNKNOWN_TOPICS = """
quantum physics|the stock market|black holes|ancient Rome|football|the French Revolution
chess openings|philosophy|climate change|jazz|the history of tea|dinosaurs|volcanoes
medieval castles|cooking pasta|electric cars|bitcoin|love|the meaning of life|modern art
the human brain|space travel|democracy|gardening|poetry|marathon training|the best films
mountain climbing|operating systems|compilers|neural networks|tax law|photography|yoga|sailing
""".replace("\n", "|").split("|")
UNKNOWN_TOPICS = [t for t in (x.strip() for x in UNKNOWN_TOPICS) if t]
