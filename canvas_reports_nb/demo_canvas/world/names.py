"""Invented people's names, by the custom they follow. Any likeness to a living person is chance."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CULTURES", "Culture"]


@dataclass(frozen=True, slots=True)
class Culture:
    """How one group of names is written.

    `full` and `sortable` are templates of `{given}` and `{family}`; a culture without family names leaves
    `families` as one empty text.
    """

    weight: float
    givens: tuple[str, ...]
    families: tuple[str, ...]
    full: str = "{given} {family}"
    sortable: str = "{family}, {given}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


CULTURES = (
    Culture(
        26.0,
        _words(
            "Ada Alice Bea Caleb Dana Eli Faye Grace Hugh Iris Jonah Kit Lena Miles Nora Owen Piper Quinn "
            "Rhys Sadie Tess Una Violet Wade Joan Chris Mary-Kate D'Andre"
        ),
        _words(
            "Abbott Barlow Carver Dover Ellery Fenwick Garland Hale Ingram Jessop Kane Lamb Marlow Norcott "
            "Oakes Pell Quill Rowe Sayer Thorne Vale Whitlock Yates Zell O'Dair MacRory Smith-Jones"
        ),
    ),
    Culture(
        14.0,
        _words("Álvaro Begoña Camila Diego Esperanza Íñigo Joaquín Luz María_José Nicolás Pilar Ramón Sofía"),
        _words(
            "Aguilar_Peña Benítez Cárdenas de_la_Vega Echeverría Ibáñez Lozano Muñoz Núñez Quiñones Zúñiga"
        ),
    ),
    Culture(
        10.0,
        _words("伟 芳 娜 秀英 敏 静 丽 强 磊 洋 小明 雪梅 志强 思远"),
        _words("王 李 张 刘 陈 杨 赵 黄 周 吴 欧阳 司马"),
        full="{family}{given}",
    ),
    Culture(
        5.0,
        _words("민준 서연 지후 하윤 도윤 수아 예준 지우"),
        _words("김 이 박 최 정 강 조 남궁"),
        full="{family}{given}",
    ),
    Culture(
        4.0,
        _words("陽葵 蓮 結衣 湊 さくら 大翔 美咲 翔太"),
        _words("佐藤 鈴木 高橋 田中 渡辺 伊藤 小林 五十嵐"),
        full="{family} {given}",
    ),
    Culture(
        7.0,
        _words("Anh Bảo Châu Dũng Hương Khánh Linh Minh Ngọc Phúc Thảo Trâm"),
        _words("Nguyễn_Văn Trần_Thị Lê_Hữu Phạm Huỳnh Võ Đặng Bùi Đỗ"),
        full="{family} {given}",
    ),
    Culture(
        7.0,
        _words("أحمد فاطمة يوسف ليلى عمر نور خالد مريم سارة طارق"),
        _words("المصري الحداد النجار بن_سعيد الخطيب العلي الشامي"),
    ),
    Culture(2.0, _words("נועה איתן תמר אורי שירה דניאל"), _words("כהן לוי מזרחי פרץ ביטון אברהם")),
    Culture(
        8.0,
        _words("Aarav Ananya Dhruv Ishaan Kavya Meera Nikhil Priya Rohan Sanjana Tanvi Vikram"),
        _words("Acharya Banerjee Chatterjee Deshmukh Iyer Kulkarni Menon Patil Raghunathan Subramanian"),
    ),
    Culture(
        4.0,
        _words("Алексей Дарья Иван Ксения Михаил Ольга Юлия Фёдор"),
        _words("Соколов Лебедева Кузнецов Щербак Ёлкин Журавлёва Шевченко"),
    ),
    Culture(
        3.0, _words("Αλέξανδρος Ελένη Γιώργος Σοφία Νίκος Ειρήνη"), _words("Παπαδάκης Νικολάου Βλάχος Ρήγας")
    ),
    Culture(
        2.0,
        _words("Björk Einar Guðrún Sigríður Þórður Ægir"),
        _words("Jónsdóttir Ólafsson Þórsdóttir Einarsson Sveinsdóttir"),
    ),
    Culture(
        2.0,
        _words("Ágnes Bence Csilla Gergő László Zsófia"),
        _words("Kovács Szűcs Tóth Győri Varga Fehér"),
        full="{family} {given}",
    ),
    Culture(
        3.0,
        _words("Łukasz Małgorzata Zbigniew Željko Škoda Børge Åsa Jürgen Zoë François Seán"),
        _words("Wójcik Żak Šimić Dvořák Sørensen Ångström Müller Weiß Lefèvre Ó_Súilleabháin van_der_Berg"),
    ),
    Culture(
        4.0,
        _words("Adaeze Chidi Folasade Kwame Nomvula Oluwaseun Thandiwe Yaa Zanele"),
        _words("Adéyẹmí Boateng Dlamini Mensah Ndlovu Okonkwo Ọláyínká Tshabalala"),
    ),
    Culture(3.0, _words("Elif Çağla Ömer Şule İbrahim"), _words("Kaya Öztürk Çelik Şahin Doğan")),
    Culture(
        1.5,
        _words("Sukmawati Hartono Suprapto Wahyuni Batari Kusuma"),
        ("",),
        full="{given}",
        sortable="{given}",
    ),
    Culture(1.5, _words("ስላማዊት ዳዊት ማርታ"), _words("ተስፋዬ አበበ ገብረ")),
    Culture(1.0, _words("สมชาย มาลี กนก"), _words("แสงทอง ใจดี ศรีสุข")),
    Culture(1.0, _words("ანა გიორგი ნინო"), _words("ბერიძე კაპანაძე ლომიძე")),
)
